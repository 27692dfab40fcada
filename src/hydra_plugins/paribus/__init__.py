"""What Hydra finds of Paribus: its sweeper, and the folder where users keep their own configs."""
