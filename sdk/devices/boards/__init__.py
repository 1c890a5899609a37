"""Boards that QEMU plays: made of Debian's arm64 packages, with a disk that keeps what is written, a serial console and ssh."""
