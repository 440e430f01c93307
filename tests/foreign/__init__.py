"""Peers that are not ours: nfcpy over UDP air, pyscard and opensc-tool through pcscd and vpcd.

Nothing here uses nfcbridge as a library: the server is the real command in its own process, the readers are other
people's programs, and messages are made of ndeflib and json. What our two ends agree on wrongly shows here.
"""
