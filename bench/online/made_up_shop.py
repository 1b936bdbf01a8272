#!/usr/bin/env python3
"""Writes the catalogue and the events of a made-up shop: made_up_shop.py FOLDER [ITEMS [USERS [EVENTS]]].

Users have one of 400 tastes; four of five events stay within it, and few items of a taste take most of them. Baskets hold
one to seven events of a user. The same arguments write the same bytes.
"""
import random
import sys

TASTES = 400
DAYS = 92
FIRST = 1_600_000_000


def main():
    folder = sys.argv[1]
    items, users, events = [int(a) for a in sys.argv[2:5]] + [100_000, 200_000, 2_000_000][len(sys.argv) - 2:]
    draw = random.Random(1)
    with open(f"{folder}/items.csv", "w") as out:
        out.write("item_id,title,category\n")
        for i in range(items):
            out.write(f"item-{i},Number {i},All>Taste {i % TASTES}\n")
    each = items // TASTES
    with open(f"{folder}/events.csv", "w") as out:
        out.write("user,item,type,order,time\n")
        written = 0
        while written < events:
            user = int(users * draw.random())
            basket = written
            time = FIRST + int(86_400 * DAYS * written / events)
            for _ in range(min(1 + int(7 * draw.random()), events - written)):
                taste = user % TASTES if draw.random() < 0.8 else int(TASTES * draw.random())
                item = taste + TASTES * int(each * draw.random() ** 3)
                kind = "purchase" if draw.random() < 0.3 else "view"
                out.write(f"user-{user},item-{item},{kind},basket-{basket},{time}\n")
                written += 1


main()
