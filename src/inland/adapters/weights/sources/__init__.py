"""Where weights come from: one class for each kind of source, all behind `source.Source`."""
