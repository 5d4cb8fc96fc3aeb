import { records } from 'millrace';
import { parseMarbleFile, runMarbles } from 'millrace/testing';
import { map } from 'rxjs';

const file = parseMarbleFile(`
Signals keep their place among lifted records.

operator: tenfold
a = 1
x = 10

in:   O-a-1-a-E2|
out:  O-x-1-x-E2|
`);

/** One result for each line that is compared. Test that `actual` equals `expected`. */
export const results = runMarbles(file, () => records(map((n) => Number(n) * 10)));
