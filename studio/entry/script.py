"""What the server runs for every visitor and every click: draws the page; nothing else."""

from __future__ import annotations

from studio import main

if __name__ == "__main__":
    main.draw()
