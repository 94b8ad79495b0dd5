"""What tools/gpu-check is made of: the steps, how one runs, how its result is judged."""
