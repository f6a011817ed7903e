import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Counts {
  readonly killed: number;
  readonly survived: number;
  readonly timeout: number;
  readonly noCoverage: number;
  readonly error: number;
}

interface Noted {
  readonly line: number;
  readonly mutator: string;
  readonly change: string;
  readonly status: string;
}

/** What became of a file's mutants, and of which text of the file that holds. */
export interface Tested {
  readonly sha256: string;
  readonly counts: Counts;
  readonly survivors: readonly Noted[];
  readonly timeouts: readonly Noted[];
}

interface Ledger {
  readonly by: string;
  /** How many files there were, those that hold nothing but types included. */
  readonly sources: number;
  readonly files: Readonly<Record<string, Tested>>;
}

export const LEDGER = 'test/bench/results/mutation.json';
export const MARKDOWN = 'test/bench/results/mutation.md';
/** By file and change: why no test can tell the mutant from the code. */
const EXPLAINED = new URL('explained.json', import.meta.url);

export function ledger(): Ledger {
  try {
    return JSON.parse(readFileSync(LEDGER, 'utf8'));
  } catch {
    return { by: '', sources: 0, files: {} };
  }
}

/** The ledger as a table, with its survivors. */
export function markdown(): string {
  const { by, sources, files } = ledger();
  const rows = Object.entries(files);
  const explained = (among: readonly string[]) =>
    rows.flatMap(([file, { survivors }]) => survivors.filter((one) => among.includes(file) && reasonFor(file, one)))
      .length;
  return `# Mutation testing

${by}, ${rows.length} of the ${sources} files of \`src\`; the others have nothing to mutate, or are still to be run.

The score is (killed + timeout) ÷ all but the errors. An error is a mutant that ended its test run by an unhandled rejection: seen, but not by a test.

A run over a part of \`src\` replaces what is said of that part: the results of a file hold for the text whose hash is in \`mutation.json\`.

| file | killed | survived | of these explained | timeout | no coverage | error | score |
|---|---|---|---|---|---|---|---|
${rows.map(([file, { counts }]) => row(file, counts, explained([file]))).join('\n')}
${row('**total**', sum(rows.map(([, { counts }]) => counts)), explained(Object.keys(files)))}

## Survivors

Those with a reason were read, and cannot be told from the code by any test.

${listed(rows.map(([file, { survivors }]) => [file, survivors]))}

## Timeouts without an endless loop seen

Kills, unless the machine was slow.

${listed(rows.map(([file, { timeouts }]) => [file, timeouts]))}
`;
}

function row(name: string, { killed, survived, timeout, noCoverage, error }: Counts, explained: number): string {
  const valid = killed + timeout + survived + noCoverage;
  const score = valid === 0 ? '–' : `${((100 * (killed + timeout)) / valid).toFixed(1)} %`;
  return `| ${[name, killed, survived, explained, timeout, noCoverage, error, score].join(' | ')} |`;
}

function sum(all: readonly Counts[]): Counts {
  const total = (kind: keyof Counts) => all.reduce((count, counts) => count + counts[kind], 0);
  return {
    killed: total('killed'),
    survived: total('survived'),
    timeout: total('timeout'),
    noCoverage: total('noCoverage'),
    error: total('error'),
  };
}

let reasons: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined;

function reasonFor(file: string, { change }: Noted): string | undefined {
  reasons ??= JSON.parse(readFileSync(fileURLToPath(EXPLAINED), 'utf8'));
  return reasons?.[file]?.[change];
}

function listed(all: readonly (readonly [file: string, noted: readonly Noted[]])[]): string {
  const rows = all.flatMap(([file, noted]) =>
    noted.map((one) => {
      const seen = one.status === 'NoCoverage' ? ' (no coverage)' : '';
      return `| ${file}:${one.line} | ${one.mutator}${seen} | ${one.change} | ${reasonFor(file, one) ?? ''} |`;
    }),
  );
  if (rows.length === 0) return 'None.';
  return ['| where | mutator | original → replacement | why |', '|---|---|---|---|', ...rows].join('\n');
}
