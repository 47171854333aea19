"""Tables in, predictions out: reading, encoding, training and model files of tables."""
