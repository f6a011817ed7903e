import { readFileSync } from 'node:fs';
import type { Report } from './speed/shapes.ts';
import { toMarkdown, toSummary } from './speed/table.ts';

/** A result file as its script wrote it. */
export function result(name: string): string {
  return readFileSync(`test/bench/results/${name}`, 'utf8').trim();
}

export function report(): Report {
  return JSON.parse(result('speed.json'));
}

/** docs/evidence.md, made of the result files and of nothing else. */
export function evidence(): string {
  const parts = [
    ['Speed and memory', '`npm run bench`', toMarkdown(report()).trim()],
    ['Hazards', '`npm run torture`', body('torture.md')],
    ['Soak', '`npm run soak`', body('soak.md')],
    ['Mutants', '`npm run mutation`', mutants()],
  ];
  const lead =
    '# Evidence\n\nEach section is what a script printed, and a test holds it to the result files in `test/bench/results`. Run them yourself: the peers are installed apart, and everything runs on Node 24.';
  return `${[lead, ...parts.map(([title, command, text]) => `## ${title}\n\nBy ${command}.\n\n${text}`)].join('\n\n')}\n`;
}

/** The table, and where the list of the survivors is. */
function mutants(): string {
  const [table = ''] = body('mutation.md').split('### Survivors');
  return `${table.trim()}\n\nThe survivors, one by one, with the reason where no test can tell them from the code: \`test/bench/results/mutation.md\`.`;
}

/** Without the page's own title, and its headings one level deeper. */
function body(name: string): string {
  return result(name)
    .replace(/^# .*\n+/, '')
    .replace(/^(#+) /gm, '#$1 ');
}

/** The README with the table of what has a target. */
export function withSummary(readme: string): string {
  return readme.replace(/(<!-- speed -->)[\s\S]*(<!-- \/speed -->)/, `$1\n\n${toSummary(report())}\n\n$2`);
}
