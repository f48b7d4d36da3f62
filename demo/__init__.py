"""The product in half a minute: four worker processes share one exact limit. Run it with `python -m demo`."""
