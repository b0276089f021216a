"""What cells gave, kept in files: models, codecs, baselines, and the lab that answers from them."""
