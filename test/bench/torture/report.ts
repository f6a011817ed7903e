import { readFileSync } from 'node:fs';
import { LIBRARIES, type Library } from './idioms/idiom.ts';
import type { Judged } from './run.ts';
import type { Verdict } from './verdict.ts';

const BENCH = new URL('../', import.meta.url);

/** How a column is headed, and where its version stands. */
const COLUMNS: Readonly<Record<Library, { readonly title: string; readonly manifest?: string }>> = {
  ours: { title: 'ductape-fallback', manifest: '../../package.json' },
  cockatiel: { title: 'cockatiel', manifest: 'node_modules/cockatiel/package.json' },
  opossum: { title: 'opossum', manifest: 'node_modules/opossum/package.json' },
  mollitia: { title: 'mollitia', manifest: 'node_modules/mollitia/package.json' },
  'p-retry': { title: 'p-retry', manifest: 'node_modules/p-retry/package.json' },
  effect: { title: 'Effect', manifest: 'node_modules/effect/package.json' },
  loop: { title: 'a hand-written loop' },
};

/** The table, then what was seen, then how each hazard was provoked: the same text for the same verdicts. */
export function report(judged: readonly Judged[]): string {
  return [header(), table(judged), counts(judged), seen(judged), reasons(judged), provocations(judged)]
    .join('\n\n')
    .concat('\n');
}

/** Whether the column of this package is safe from top to bottom. */
export function isOursSafe(judged: readonly Judged[]): boolean {
  return judged.length > 0 && judged.every(({ verdicts }) => verdicts.ours.kind === 'safe');
}

function header(): string {
  const versions = LIBRARIES.map((library) => {
    const { title, manifest } = COLUMNS[library];
    return manifest === undefined ? title : `${title} ${versionIn(manifest)}`;
  });
  return `# Torture\n\n\`npm run torture\` on Node ${process.versions.node}: ${versions.join(', ')}.`;
}

function versionIn(manifest: string): string {
  const { version } = JSON.parse(readFileSync(new URL(manifest, BENCH), 'utf8')) as { version: string };
  return version;
}

function table(judged: readonly Judged[]): string {
  const head = ['', 'hazard', ...LIBRARIES.map((library) => COLUMNS[library].title)];
  const rows = judged.map(({ hazard, verdicts }, index) => [
    String(index + 1),
    hazard,
    ...LIBRARIES.map((library) => mark(verdicts[library])),
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function mark({ kind }: Verdict): string {
  if (kind === 'safe') return 'safe';
  return kind === 'unsafe' ? '**unsafe**' : '–';
}

function counts(judged: readonly Judged[]): string {
  const lines = LIBRARIES.map((library) => {
    const of = (kind: Verdict['kind']) => judged.filter(({ verdicts }) => verdicts[library].kind === kind).length;
    return `| ${COLUMNS[library].title} | ${of('safe')} | ${of('unsafe')} | ${of('not offered')} |`;
  });
  return ['| | safe | unsafe | not offered (–) |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

function seen(judged: readonly Judged[]): string {
  return list('What was seen where it says **unsafe**', judged, (verdict, note) => {
    if (verdict.kind !== 'unsafe') return undefined;
    return note === undefined ? verdict.seen : `${verdict.seen} (${note})`;
  });
}

function reasons(judged: readonly Judged[]): string {
  return list('Why it says –', judged, (verdict) => (verdict.kind === 'not offered' ? verdict.why : undefined));
}

/** Row by row, one line for each library that there is something to say of. */
function list(
  title: string,
  judged: readonly Judged[],
  say: (verdict: Verdict, note?: string) => string | undefined,
): string {
  const parts = judged.flatMap(({ hazard, verdicts, notes }, index) => {
    const lines = LIBRARIES.flatMap((library) => {
      const said = say(verdicts[library], notes[library]);
      return said === undefined ? [] : [`   - ${COLUMNS[library].title}: ${said}`];
    });
    return lines.length > 0 ? [`${index + 1}. ${hazard}`, ...lines] : [];
  });
  return [`## ${title}`, '', ...(parts.length > 0 ? parts : ['Nothing.'])].join('\n');
}

function provocations(judged: readonly Judged[]): string {
  const lines = judged.map(({ hazard, how }, index) => `${index + 1}. ${hazard}: ${how}`);
  return ['## How each was provoked', '', ...lines].join('\n');
}
