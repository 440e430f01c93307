"""What a charger keeps, in one file, and from it into a charger again, over any door.

copy      the file: what is in it, and what is wrong with it
charger   what a charger keeps, read over its interface, however often the tag slips away
check     what of a copy a charger would refuse
plan      the requests that make a charger keep what a copy has: nothing is left to do once it does
"""
