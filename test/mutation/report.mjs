import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';

/** @typedef {import('@stryker-mutator/api/core').schema.MutationTestResult} Result */
/** @typedef {import('@stryker-mutator/api/core').schema.MutantResult} Mutant */

const JSON_REPORT = '.scratch/mutation.json';
const MARKDOWN = 'test/bench/results/mutation.md';
/** By file and change: why no test can tell the mutant from the code. */
const EXPLAINED = new URL('explained.json', import.meta.url);

/** A reporter of Stryker's, not a step after it: the table is wanted most when the score is too low and Stryker fails. */
class MarkdownReporter {
  /** @param {Result} result */
  onMutationTestReportReady(result) {
    mkdirSync(dirname(MARKDOWN), { recursive: true });
    writeFileSync(MARKDOWN, markdown(result));
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Reporter, 'markdown', MarkdownReporter)];

/** @param {Result} result */
function markdown({ files, framework }) {
  const tested = Object.entries(files).map(([file, { source, mutants }]) => ({ file, source, mutants }));
  const every = tested.flatMap(({ mutants }) => mutants);
  const atLoad = every.filter((mutant) => mutant.static).length;
  return `# Mutation testing

Stryker ${framework?.version} on Node ${process.versions.node}: ${every.length} mutants in ${tested.length} files. ${atLoad} of them run while a module loads, and are tested as all others are.
The score is (killed + timeout) ÷ all but the errors. An error is a mutant that ended its test run by an unhandled rejection: seen, but not by a test.

| file | killed | survived | timeout | no coverage | error | score |
|---|---|---|---|---|---|---|
${tested
  .filter(({ mutants }) => mutants.length > 0)
  .map(({ file, mutants }) => row(file, mutants))
  .join('\n')}
${row('**total**', every)}

## Survivors

Those with a reason were read, and cannot be told from the code by any test.

${listed(tested, ({ status }) => status === 'Survived' || status === 'NoCoverage')}

## Timeouts without an endless loop seen

Kills, unless the machine was slow.

${listed(tested, ({ status, statusReason }) => status === 'Timeout' && !statusReason?.startsWith('Hit limit'))}
`;
}

/** @param {string} name @param {readonly Mutant[]} mutants */
function row(name, mutants) {
  /** @param {...Mutant['status']} statuses */
  const count = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length;
  const detected = count('Killed', 'Timeout');
  const valid = detected + count('Survived', 'NoCoverage');
  const score = valid === 0 ? '–' : `${((100 * detected) / valid).toFixed(1)} %`;
  const counts = [count('Killed'), count('Survived'), count('Timeout'), count('NoCoverage')];
  return `| ${[name, ...counts, count('RuntimeError', 'CompileError'), score].join(' | ')} |`;
}

/** @typedef {{ file: string, source: string, mutants: readonly Mutant[] }} Tested */

/** @param {readonly Tested[]} tested @param {(mutant: Mutant) => boolean} isWanted */
function listed(tested, isWanted) {
  /** @type {Record<string, Record<string, string>>} */
  const explained = JSON.parse(readFileSync(fileURLToPath(EXPLAINED), 'utf8'));
  const rows = tested.flatMap(({ file, source, mutants }) =>
    mutants
      .filter(isWanted)
      .toSorted((a, b) => a.location.start.line - b.location.start.line)
      .map(({ location, mutatorName, replacement = '', status }) => {
        const seen = status === 'NoCoverage' ? ' (no coverage)' : '';
        const change = `${code(textAt(source, location))} → ${code(replacement)}`;
        const why = explained[file]?.[change] ?? '';
        return `| ${file}:${location.start.line} | ${mutatorName}${seen} | ${change} | ${why} |`;
      }),
  );
  if (rows.length === 0) return 'None.';
  return ['| where | mutator | original → replacement | why |', '|---|---|---|---|', ...rows].join('\n');
}

/** @param {string} source @param {Mutant['location']} location */
function textAt(source, { start, end }) {
  const lines = source.split('\n').slice(start.line - 1, end.line);
  lines.push((lines.pop() ?? '').slice(0, end.column - 1));
  return lines.join('\n').slice(start.column - 1);
}

/** A line of code that a table cell can hold. @param {string} text */
function code(text) {
  const line = text.replace(/\s+/g, ' ').trim();
  const short = line.length > 100 ? `${line.slice(0, 99)}…` : line;
  return short === '' ? 'nothing' : `\`\` ${short.replaceAll('|', '\\|')} \`\``;
}

// By itself, it writes the last run's table anew.
if (import.meta.main) new MarkdownReporter().onMutationTestReportReady(JSON.parse(readFileSync(JSON_REPORT, 'utf8')));
