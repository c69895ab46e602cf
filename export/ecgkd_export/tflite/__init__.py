"""TFLite flatbuffers, written and read by the schema that comes with LiteRT."""
