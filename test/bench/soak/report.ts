import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { bound, mebibytes } from './heap.ts';
import type { Outcome } from './run.ts';
import { USERS } from './soak.ts';
import { type Figures, LAWS, type Law } from './watch.ts';

const number = (value: number) => Math.round(value).toLocaleString('en-GB');

/** What a soak has to tell: its figures, or what broke it. */
export function report(outcome: Outcome): string {
  return outcome.isWhole ? figures(outcome) : failure(outcome);
}

function figures({ plan, stage, heap, seconds, processor }: Outcome): string {
  const { watch, calls, clock, figures } = stage;
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  const [cpu, ...others] = cpus();
  const machine = `${cpu?.model.trim() ?? 'unknown processor'}, ${others.length + 1} cores`;
  return [
    '# Soak',
    '',
    `ductape-fallback ${version} · Node ${process.versions.node} · ${machine} · seed ${plan.seed}`,
    '',
    `${number(calls.made)} calls by ${USERS} users at once over ${number(plan.keys)} cache keys, ${number(watch.total)} law checks among them, in`,
    `${number(seconds)} s (${number(processor)} s of processor time): ${number(calls.made / seconds)} calls/s; ${number((clock.now - clock.start) / 1_000)} s of virtual time. No law was broken;`,
    'no timer, no abort listener and no late settlement was left.',
    '',
    ...table(['calls', 'with `cache`', 'without'], callRows(figures)),
    ...table(['outcomes', ''], rows(figures.group('outcome'))),
    ...table(['aborted by the caller', ''], rows(figures.group('abort'))),
    ...table(['attempts', ''], rows(figures.group('attempt'))),
    ...table(['restarts', ''], rows(figures.group('restart'))),
    ...table(['and', ''], rows(figures.group('and'))),
    ...table(['law checks', ''], rows(LAW_NAMES.map((law) => [LAWS[law], watch.checks[law]]))),
    `Heap in use after each tenth, collected; each after the first may be at most 1.1 × the first + 4 MiB = ${mebibytes(bound(heap))}.`,
    '',
    ...table(['tenth', 'heap', 'of the first'], heapRows(heap)),
  ].join('\n');
}

const LAW_NAMES = Object.keys(LAWS) as Law[];

function callRows(figures: Figures): string[][] {
  const without = new Map(figures.group('call'));
  return figures.group('call with cache').map(([kind, n]) => [kind, number(n), number(without.get(kind) ?? 0)]);
}

function heapRows(heap: readonly number[]): string[][] {
  const [first = 0] = heap;
  return heap.map((bytes, index) => [String(index + 1), mebibytes(bytes), (bytes / first).toFixed(3)]);
}

function rows(counts: readonly (readonly [string, number])[]): string[][] {
  return counts.map(([name, count]) => [name, number(count)]);
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '--:'))), ...body.map(line), ''];
}

/** What broke, what came before, and how to see it again. */
function failure({ plan, stage, violation, fault }: Outcome): string {
  const { watch, calls } = stage;
  const again = `node --expose-gc test/bench/soak.ts --calls=${plan.calls} --seed=${plan.seed}`;
  if (!violation) return [`FAILED: ${fault}`, `again: ${again}`].join('\n');
  const { law, message, call, machine } = violation;
  const recent = watch.history(25);
  const own = machine === undefined ? [] : watch.history(40, machine);
  return [
    `FAILED after ${number(calls.made)} calls, at ${stage.now} ms of virtual time`,
    LAWS[law],
    `${call === undefined ? '' : `call #${call}: `}${message}`,
    ...(own.length > 0 ? ['', `machine ${machine} lately:`, ...own] : []),
    '',
    'all lately:',
    ...recent,
    '',
    `again: ${again}`,
  ].join('\n');
}

/** The figures, where the README's are kept. */
export function writeReport(outcome: Outcome): void {
  const results = new URL('../results/', import.meta.url);
  mkdirSync(results, { recursive: true });
  writeFileSync(new URL('soak.md', results), report(outcome));
}
