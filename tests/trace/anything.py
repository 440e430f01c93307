"""Entries that nobody ever sent, for Hypothesis: any octets, and frames that mean something in any order."""

from hypothesis import strategies as st

from nfcbridge.trace import Dir, Entry

OCTETS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            bytes.fromhex(frame)
            for frame in [
                "E080",
                "0578804202",
                "D01105",
                "D0",
                "C2",
                "F201",
                "A2",
                "A3",
                "B2",
                "B3",
                "02",
                "03",
                "0200A4040007D276000085010100",
                "0300A4000C02E104",
                "0200A4000C02E103",
                "029000",
                "039000",
                "0200B0000002",
                "0300B000020A",
                "0200D60000020009",
                "0300D6000209D101055402656E6869",
                "0200099000",
                "03D101055402656E68699000",
                "1200D600",
                "1300",
                "0A00",
                "12",
                "13",
                "00A4000C02E104",
                "9000",
                "00B00000FF",
                "00D60000020003",
            ]
        ]
    ),
)
ENTRIES = st.lists(
    st.builds(
        Entry,
        t=st.floats(),
        dir=st.sampled_from(Dir),
        octets=OCTETS,
        on=st.booleans(),
        number=st.integers(0, 1 << 40),
    ),
    max_size=40,
)
