"""Networks of spiking neurons as a whole: in integers, from networks without spikes, on chips.  Graph in, graph out."""
