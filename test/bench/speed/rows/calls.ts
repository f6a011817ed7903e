import * as byHand from '../peers/by-hand.ts';
import * as cockatiel from '../peers/cockatiel.ts';
import * as effect from '../peers/effect.ts';
import * as mollitia from '../peers/mollitia.ts';
import * as opossum from '../peers/opossum.ts';
import * as ours from '../peers/ours.ts';
import { attempts } from '../peers/p-retry.ts';
import type { Contender, Done, Targets, TimedRow } from '../shapes.ts';
import { answers, isAnswer, rejects, rejectsAfresh, type Work } from '../work.ts';

/** A primary and one provider: what everyone offers. */
function two(does: Done, primary: Work, provider: Work): readonly Contender[] {
  return [
    { name: 'cockatiel fallback', call: cockatiel.nested(primary, provider), does, isRight: isAnswer },
    { name: COCKATIEL_GUARDED, call: cockatiel.guarded(primary, provider), does, isRight: isAnswer },
    ...others(does, primary, provider),
  ];
}

const COCKATIEL_GUARDED = 'cockatiel wrap(fallback, circuitBreaker)';
const COCKATIEL_PARSED = 'cockatiel fallback, its input parsed';

/** Three of them or more. */
function several(does: Done, ...works: readonly [Work, ...Work[]]): readonly Contender[] {
  const fallbacks = `${works.length - 1} cockatiel fallbacks`;
  return [
    { name: `${fallbacks}, nested`, call: cockatiel.nested(...works), does, isRight: isAnswer },
    { name: `${fallbacks} in a wrap`, call: cockatiel.composed(...works), does, isRight: isAnswer },
    ...others(does, ...works),
  ];
}

function others(does: Done, ...works: readonly [Work, ...Work[]]): readonly Contender[] {
  const rest = { does, isRight: isAnswer };
  return [
    { name: 'opossum', ...opossum.chained(...works), ...rest },
    { name: 'mollitia breaker', ...mollitia.chained(...works), ...rest },
    { name: 'p-retry', call: attempts(...works), ...rest },
    { name: 'Effect ExecutionPlan', call: effect.plan(...works), ...rest },
    { name: 'Effect ExecutionPlan of contexts', call: effect.planOfContexts(...works), ...rest },
    { name: 'loop by hand', call: byHand.loop(...works), ...rest },
    { name: 'loop by hand that keeps the same record', call: byHand.recordingLoop(...works), ...rest },
  ];
}

const wrapped = (does: Done, primary: Work, ...providers: readonly Work[]): Contender => ({
  name: ours.NAME,
  call: ours.wrapped(primary, ...providers),
  does,
  isRight: isAnswer,
});

const triggered = (does: Done, call: () => Promise<unknown>): Contender => ({
  name: ours.NAME,
  call,
  does,
  isRight: (result) => isAnswer(ours.outputOf(result)),
});

/** Rows that differ in little but their names. */
function row(name: string, how: string, targets: Targets, contenders: () => readonly Contender[]): TimedRow {
  return { name, how, unit: 'ns per call', manner: 'awaited', targets, contenders: async () => contenders() };
}

const ALL_WELL: Done = { answered: 1, rejected: 0 };
const ONE_DOWN: Done = { answered: 1, rejected: 1 };
const TWO_DOWN: Done = { answered: 1, rejected: 2 };
const THREE_DOWN: Done = { answered: 1, rejected: 3 };

const EFFECT_TARGETS = { 'Effect ExecutionPlan': 0.3, 'Effect ExecutionPlan of contexts': 0.3 };

export const calls: readonly TimedRow[] = [
  row(
    'wrap, primary succeeds',
    'an async function that returns a number; a provider stands by.',
    { 'cockatiel fallback': 1, [COCKATIEL_GUARDED]: 0.5, opossum: 0.4 },
    () => [wrapped(ALL_WELL, answers, answers), ...two(ALL_WELL, answers, answers)],
  ),
  row(
    'wrap, primary rejects, first provider answers',
    'the primary rejects with one error, made beforehand; the provider answers. No breaker opens. The loop that keeps the same record gives each call an id and a promise that can be cut short, each provider a context, and each attempt an entry with its duration, as ours does: what lies between it and the plain loop is what the record costs.',
    { 'cockatiel fallback': 1.5, [COCKATIEL_GUARDED]: 0.9, opossum: 0.9, 'mollitia breaker': 0.9 },
    () => [wrapped(ONE_DOWN, rejects, answers), ...two(ONE_DOWN, rejects, answers)],
  ),
  row(
    'wrap, primary rejects with a new error each time',
    'as above, but each rejection makes its own error, with its stack.',
    {},
    () => [wrapped(ONE_DOWN, rejectsAfresh, answers), ...two(ONE_DOWN, rejectsAfresh, answers)],
  ),
  {
    ...row(
      'wrap, primary rejects, the first 1,000 calls after a quiet moment',
      'as with one error, but all garbage is collected before each sample, while no call is in flight: Node may forget then what it has compiled.',
      {},
      () => [wrapped(ONE_DOWN, rejects, answers), ...two(ONE_DOWN, rejects, answers)],
    ),
    first: 1_000,
  },
  row(
    'run trigger, fully checked, first provider answers',
    'the documented call, all its fields checked, no schema of the input. The others: their rejecting call, primary and all.',
    { 'cockatiel fallback': 1 },
    () => [triggered(ALL_WELL, ours.triggered(answers)), ...two(ONE_DOWN, rejects, answers)],
  ),
  row(
    'run trigger with a zod schema of its input',
    'as above, and the input parsed by a zod object of three strings; by the others as little as before, but for the one that has its input parsed by the same schema first.',
    { 'cockatiel fallback': 1, [COCKATIEL_PARSED]: 1 },
    () => [
      triggered(ALL_WELL, ours.triggeredWithSchema(answers)),
      {
        name: COCKATIEL_PARSED,
        call: ours.parsedBefore(cockatiel.nested(rejects, answers)),
        does: ONE_DOWN,
        isRight: isAnswer,
      },
      ...two(ONE_DOWN, rejects, answers),
    ],
  ),
  row(
    'wrap, three providers, two fail',
    'the primary rejects, then two providers; the third answers. The others: four functions in a row.',
    { '3 cockatiel fallbacks, nested': 1.2, '3 cockatiel fallbacks in a wrap': 1.2, ...EFFECT_TARGETS },
    () => [
      wrapped(THREE_DOWN, rejects, rejects, rejects, answers),
      ...several(THREE_DOWN, rejects, rejects, rejects, answers),
    ],
  ),
  row(
    'run, three providers, two fail',
    'two providers reject, the third answers, without a primary. The others: three functions in a row.',
    EFFECT_TARGETS,
    () => [
      triggered(TWO_DOWN, ours.triggered(rejects, rejects, answers)),
      ...several(TWO_DOWN, rejects, rejects, answers),
    ],
  ),
];
