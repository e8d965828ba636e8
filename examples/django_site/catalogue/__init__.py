"""The one app of this site: a catalogue of lighthouses with a log book for visitors."""
