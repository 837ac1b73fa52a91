"""The command attacked by itself: bad words for every option, damaged files of a real run, and kills at any moment.

    medattn study reliability                 all of it; writes figures/reliability.md
    medattn study reliability --part words    one part; a part that was stopped goes on where it stopped

What is attacked is found in the parser and in the recipes, so that a new option or setting is attacked by itself.
"""
