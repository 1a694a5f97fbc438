"""A few lines of the Test Anything Protocol. All cases run at the same time."""

import asyncio
import sys
import traceback

PATIENCE = 20  # seconds; ends a case that would otherwise hang
cases = []


def test(name):
    def keep(run):
        cases.append((name, run))
        return run
    return keep


async def finish():
    results = await asyncio.gather(*(asyncio.wait_for(run(), PATIENCE) for _, run in cases), return_exceptions=True)
    for i, ((name, _), error) in enumerate(zip(cases, results), 1):
        print(f"{'ok' if error is None else 'not ok'} {i} - {name}")
        if error is not None:
            for line in "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines():
                print("#", line)
    print(f"1..{len(cases)}")
    sys.stdout.flush()
