// Measures one row in a process of its own, and tells what came of it as JSON.
import { measure } from './measure.ts';
import { rows } from './rows.ts';
import type { Settings } from './shapes.ts';

const [name, settings = '{}'] = process.argv.slice(2);
const row = rows.find((row) => row.name === name);
if (!row || 'measure' in row) throw new Error(`there is no timed row called ${name}`);
const result = await measure(row, JSON.parse(settings) as Settings);
process.stdout.write(JSON.stringify(result), () => process.exit());
