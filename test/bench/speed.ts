// Speed and memory, side by side with the peers: `npm run bench [-- --quick] [-- --only <part of a row's name>]`.
// A target that is missed is said so in the table; only a wrong answer makes the run fail.
import { run } from './speed/run.ts';

await run(process.argv.slice(2));
