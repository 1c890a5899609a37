"""SD cards: a model and a first-boot configuration put into an image file, and images written onto cards.  No mounts, no root for files."""

from edge.images.flashing import Asker, FlashImage, flash_image

__all__ = ["Asker", "FlashImage", "flash_image"]
