"""A fuzzer that finds its values by watching which lines of the panel they reach (Atheris).

`python -m tests.fuzz.guided NAME -runs=20000` attacks one parser; its process ends with the fuzzer.
"""

import sys

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]
import hypothesis

with atheris.instrument_imports(include=["panel"]):
    from tests.fuzz.parsers import PARSERS
    from tests.fuzz.test_parsers import make_attack


def main() -> None:
    name, options = sys.argv[1], sys.argv[2:]
    hypothesis.settings.register_profile("guided", deadline=None, database=None)
    hypothesis.settings.load_profile("guided")
    attack = make_attack(PARSERS[name])
    atheris.Setup([sys.argv[0], *options], attack.hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
