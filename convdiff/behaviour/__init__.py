"""What probes find of a kernel: kept bits, transforms, flushing, known faults."""
