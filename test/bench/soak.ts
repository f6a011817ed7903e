/**
 * Millions of mixed calls against one engine after another, with the laws of SPEC.md section 11 checked on the fly.
 *
 * npm run soak -- --calls=50000 --seed=7
 */
import { readPlan } from './soak/plan.ts';
import { report, writeReport } from './soak/report.ts';
import { soak } from './soak/run.ts';

const plan = readPlan(process.argv.slice(2));
const outcome = await soak(plan);
console.log(report(outcome));
if (!outcome.isWhole) process.exitCode = 1;
else if (plan.isFull) writeReport(outcome);
