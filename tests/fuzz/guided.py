"""A fuzzer that finds its values by watching which lines of the panel they reach (Atheris).

`python -m tests.fuzz.guided NAME -runs=20000` attacks one parser; its process ends with the fuzzer.
"""

import random
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]
import hypothesis

with atheris.instrument_imports(include=["panel"]):
    from tests.fuzz.amount import SEED
    from tests.fuzz.parsers import PARSERS
    from tests.fuzz.test_parsers import make_attack

# A changed document takes some hundred bytes; by itself the fuzzer begins with a few.
LONGEST, SEEDS = 4096, 40


def main() -> None:
    name, options = sys.argv[1], sys.argv[2:]
    hypothesis.settings.register_profile("guided", deadline=None, database=None)
    hypothesis.settings.load_profile("guided")
    attack = make_attack(PARSERS[name])
    with tempfile.TemporaryDirectory() as corpus:
        plant_seeds(Path(corpus))
        arguments = [sys.argv[0], corpus, f"-max_len={LONGEST}", "-len_control=0", *options]
        atheris.Setup(arguments, attack.hypothesis.fuzz_one_input)
        atheris.Fuzz()


def plant_seeds(corpus: Path) -> None:
    dice = random.Random(SEED)
    for number in range(SEEDS):
        (corpus / str(number)).write_bytes(dice.randbytes(dice.randrange(64, LONGEST)))


if __name__ == "__main__":
    main()
