import type { Report, Result, Samples } from './shapes.ts';
import { ratios, type Spread, spread } from './statistics.ts';

/** The whole page, made of the raw figures and of nothing else. */
export function toMarkdown(report: Report): string {
  const { cpu, node, packages, settings, results } = report;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  return [
    `${cpu}; Node ${node}; ${versions.join(', ')}.`,
    `Medians of ${settings.processes * settings.rounds} interleaved samples, taken in ${settings.processes} processes, where nothing else is said; ratios are ours ÷ theirs, the median of the rounds' own ratios, with their quartiles. Smaller is better.`,
    [
      '| row | against | ours | theirs | ratio | target | |',
      '|---|---|--:|--:|--:|--:|---|',
      ...results.flatMap(lines),
    ].join('\n'),
    results.map(({ row, how }) => `- **${row}**: ${how}`).join('\n'),
    '',
  ].join('\n\n');
}

/** What has a target, in short: a line for each row. */
export function toSummary(report: Report): string {
  const rows = report.results.flatMap((result) => {
    const aimed = verdicts(result).filter(({ target }) => target);
    const told = aimed.map(({ against, ours, ratio, target, verdict }) => {
      const text = `${[against, (ratio || ours).replace(/ \(.*/, '')].filter(Boolean).join(' ')} (${target})`;
      return verdict === 'missed' ? `**${text}**` : text;
    });
    return told.length > 0 ? [`| ${result.row} | ${told.join('; ')} |`] : [];
  });
  return ['| row | ours ÷ theirs (target; bold: missed) |', '|---|---|', ...rows].join('\n');
}

/** The comparisons that miss their targets, in words. */
export function missed(report: Report): readonly string[] {
  return report.results.flatMap((result) =>
    verdicts(result)
      .filter(({ verdict }) => verdict === 'missed')
      .map(
        ({ against, ours, ratio, target }) =>
          `${result.row}${against && `, against ${against}`}: ${ratio || ours}, target ${target}`,
      ),
  );
}

interface Verdict {
  readonly against: string;
  readonly ours: string;
  readonly theirs: string;
  readonly ratio: string;
  readonly target: string;
  readonly verdict: 'reached' | 'missed' | '';
}

function lines(result: Result): readonly string[] {
  return verdicts(result).map(({ against, ours, theirs, ratio, target, verdict }, index) => {
    const cells = [index === 0 ? `**${result.row}**` : '', against, ours, theirs, ratio, target];
    return `| ${[...cells, verdict === 'missed' ? '**missed**' : verdict].join(' | ')} |`;
  });
}

function verdicts(result: Result): readonly Verdict[] {
  const [ours, ...others] = result.contenders;
  if (!ours) throw new Error(`nothing was measured in the row ${result.row}`);
  const unknown = Object.keys(result.targets).filter((name) => others.every((other) => other.name !== name));
  if (unknown.length > 0) throw new Error(`${result.row} has a target against ${unknown}, who is not in it`);
  const alone = result.limit === undefined ? [] : [limited(result, ours, result.limit)];
  return [...alone, ...others.map((other) => compared(result, ours, other))];
}

function limited({ unit }: Result, ours: Samples, limit: number): Verdict {
  const { median } = spread(ours.samples);
  const shown = amount(median, unit);
  const target = `≤ ${amount(limit, unit)}`;
  return { against: '', ours: shown, theirs: '', ratio: '', target, verdict: median <= limit ? 'reached' : 'missed' };
}

function compared({ unit, targets }: Result, ours: Samples, other: Samples): Verdict {
  const ratio = spread(ratios(ours.samples, other.samples));
  const target = targets[other.name];
  return {
    against: other.name,
    ours: amount(spread(ours.samples).median, unit),
    theirs: amount(spread(other.samples).median, unit),
    ratio: shown(ratio, other.samples.length),
    target: target === undefined ? '' : `≤ ${target.toFixed(2)}`,
    verdict: target === undefined ? '' : ratio.median <= target ? 'reached' : 'missed',
  };
}

/** One sample has no spread. */
function shown({ lower, median, upper }: Spread, samples: number): string {
  const [low, middle, high] = [lower, median, upper].map((ratio) =>
    ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(3),
  );
  return samples > 1 ? `${middle} (${low}–${high})` : `${middle}`;
}

function amount(value: number, unit: string): string {
  const digits = value >= 100 ? 0 : 1;
  const text = value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text} ${unit.split(' ', 1)}`;
}
