"""`make validate`: the full-size validations, each printing the table that docs/ holds.

python benchmarks/validate.py [verdicts] [real_input] [theory] [pretraining] [adaptation] [bounds] [reproductions]
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VALIDATIONS = {
    "verdicts": ["validate_verdicts.py"],
    "real_input": ["real_input.py", "--out", "real-input-reports"],
    "theory": ["validate_theory.py"],
    "pretraining": ["validate_pretraining.py"],
    "adaptation": ["validate_adaptation.py"],
    "bounds": ["validate_bounds.py"],
    "reproductions": ["reproductions.py", "--run", "reproductions"],
}


def main(names: list[str]) -> None:
    """Run the named validations, or all; stops at the first that fails."""
    for name in names or VALIDATIONS:
        print(f"\n## {name}\n", flush=True)
        script, *arguments = VALIDATIONS[name]
        subprocess.run([sys.executable, str(HERE / script), *arguments], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
