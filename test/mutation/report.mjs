import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, matchesGlob } from 'node:path';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import { LEDGER, ledger, MARKDOWN, markdown } from './table.ts';

/** @typedef {import('@stryker-mutator/api/core').schema.MutationTestResult} Result */
/** @typedef {import('@stryker-mutator/api/core').schema.MutantResult} Mutant */
/** @typedef {import('./table.ts').Tested} Tested */

/**
 * A reporter of Stryker's, not a step after it: the table is wanted most when the score is too low and Stryker fails. A run
 * over a part of `src` replaces the results of that part, and leaves the others as they are.
 */
class MarkdownReporter {
  /** @param {Result} result */
  onMutationTestReportReady({ files, framework, config }) {
    const { files: before } = ledger();
    const by = `Stryker ${framework?.version} on Node ${process.versions.node}`;
    // Its report has what earlier runs have begun, too.
    const asked = /** @type {readonly string[]} */ (config?.mutate ?? ['src/**/*.ts']);
    const isOfThisRun = (/** @type {string} */ file) => asked.some((pattern) => matchesGlob(file, pattern));
    const now = Object.entries(files).filter(([file, { mutants }]) => mutants.length > 0 && isOfThisRun(file));
    const all = {
      ...before,
      ...Object.fromEntries(now.map(([file, { source, mutants }]) => [file, tested(source, mutants)])),
    };
    mkdirSync(dirname(LEDGER), { recursive: true });
    const sorted = Object.fromEntries(Object.entries(all).sort(([one], [other]) => (one < other ? -1 : 1)));
    writeFileSync(
      LEDGER,
      `${JSON.stringify({ by, sources: globSync('src/**/*.ts').length, files: sorted }, null, 1)}\n`,
    );
    writeFileSync(MARKDOWN, markdown());
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Reporter, 'markdown', MarkdownReporter)];

/** @param {string} source @param {readonly Mutant[]} mutants @returns {Tested} */
function tested(source, mutants) {
  /** @param {...Mutant['status']} statuses */
  const count = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length;
  /** @param {(mutant: Mutant) => boolean} isWanted */
  const noted = (isWanted) =>
    mutants
      .filter(isWanted)
      .map(({ location, mutatorName, replacement = '', status }) => ({
        line: location.start.line,
        mutator: mutatorName,
        change: `${code(textAt(source, location))} → ${code(replacement)}`,
        status,
      }))
      .sort((a, b) => a.line - b.line);
  return {
    sha256: hash(source),
    counts: {
      killed: count('Killed'),
      survived: count('Survived'),
      timeout: count('Timeout'),
      noCoverage: count('NoCoverage'),
      error: count('RuntimeError', 'CompileError'),
    },
    survivors: noted(({ status }) => status === 'Survived' || status === 'NoCoverage'),
    // Those without an endless loop seen.
    timeouts: noted(({ status, statusReason }) => status === 'Timeout' && !statusReason?.startsWith('Hit limit')),
  };
}

/** @param {string} text */
function hash(text) {
  return createHash('sha256').update(text).digest('hex');
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

// By itself, it writes the table anew: of the last run where there was one, or of the ledger.
if (import.meta.main) {
  const [report] = process.argv.slice(2);
  if (report) new MarkdownReporter().onMutationTestReportReady(JSON.parse(readFileSync(report, 'utf8')));
  else writeFileSync(MARKDOWN, markdown());
}
