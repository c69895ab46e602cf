"""An ARM machine without a board: Debian's arm64 system under QEMU, with a real sshd and a real adbd."""
