#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gen.py [--docs N=100000] [--seed 42] [--vocab 30000] [--zipf 1.0] [--bulk INDEX] [--out FILE=-]

A deterministic corpus as newline-delimited JSON: the same seed gives the same bytes. Words are pseudo-words whose
frequency follows Zipf. --bulk writes a _bulk body instead. --queries N writes N query strings of 1 to 4 words.
"""
import argparse
import bisect
import itertools
import json
import random
import sys

CONSONANTS, VOWELS = "bcdfghjklmnprstvz", "aeiou"
CATEGORIES = ["books", "music", "games", "tools", "garden", "toys", "food", "sport", "health", "auto",
              "office", "pets", "shoes", "bags", "phones", "video", "audio", "baby", "art", "travel"]


def make_vocabulary(n, seed):
    r = random.Random(seed * 7919 + 1)
    seen, words = set(), []
    while len(words) < n:
        word = "".join(r.choice(CONSONANTS) + r.choice(VOWELS) for _ in range(r.randint(2, 4)))
        word += r.choice(["", "", "n", "r", "s", "t"])
        if word not in seen:
            seen.add(word)
            words.append(word)
    return words


def documents(n, seed=42, vocabulary=30000, zipf=1.0):
    words = make_vocabulary(vocabulary, seed)
    cumulated = list(itertools.accumulate(1.0 / (i + 1) ** zipf for i in range(vocabulary)))
    categories = list(itertools.accumulate(1.0 / (i + 1) for i in range(len(CATEGORIES))))
    r = random.Random(seed)

    def text(k):
        return " ".join([words[bisect.bisect(cumulated, r.random() * cumulated[-1])] for _ in range(k)])

    for _ in range(n):
        yield {"title": text(r.randint(3, 8)), "body": text(r.randint(20, 60)),
               "category": CATEGORIES[bisect.bisect(categories, r.random() * categories[-1])],
               "price": int(10 ** (r.random() * 4)), "rating": round(1 + 4 * r.random(), 2),
               "timestamp": 1600000000000 + int(r.random() * 1.5e11)}


def queries(n, seed=42, vocabulary=30000, lowest=20, highest=3000):
    words = make_vocabulary(vocabulary, seed)
    r = random.Random(seed + 1)
    for _ in range(n):
        k = r.choice([1, 2, 2, 3, 4])
        yield " ".join(words[int(lowest * (highest / lowest) ** r.random())] for _ in range(k))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--docs", type=int, default=100000)
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--vocab", type=int, default=30000)
    p.add_argument("--zipf", type=float, default=1.0)
    p.add_argument("--bulk", metavar="INDEX")
    p.add_argument("--queries", type=int, default=0)
    p.add_argument("--out", default="-")
    a = p.parse_args()
    out = sys.stdout if a.out == "-" else open(a.out, "w", encoding="utf-8")
    if a.queries:
        out.writelines(query + "\n" for query in queries(a.queries, a.seed, a.vocab))
        return
    for i, document in enumerate(documents(a.docs, a.seed, a.vocab, a.zipf)):
        if a.bulk:
            out.write('{"index":{"_index":"%s","_id":"%d"}}\n' % (a.bulk, i))
        out.write(json.dumps(document, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
