"""What needs a framework to be installed; imported only when asked for."""
