import { BrokenCircuitError } from 'cockatiel';
import { BreakerError } from 'mollitia';
import { FallbackExhaustedError } from '../../../../dist/index.js';
import * as byHand from '../peers/by-hand.ts';
import * as cockatiel from '../peers/cockatiel.ts';
import * as effect from '../peers/effect.ts';
import * as mollitia from '../peers/mollitia.ts';
import * as opossum from '../peers/opossum.ts';
import * as ours from '../peers/ours.ts';
import type { Contender, TimedRow } from '../shapes.ts';
import { answers, answersUnlessAborted, isAnswer, rejectsAnyway } from '../work.ts';

const TIMEOUT = 1_000;

const WORKS = [rejectsAnyway, rejectsAnyway, answersUnlessAborted];

function withTimeouts(): readonly Contender[] {
  const rest = { does: { answered: 1, rejected: 2 }, isRight: isAnswer };
  return [
    {
      ...rest,
      name: ours.NAME,
      call: ours.triggeredWithin(TIMEOUT, ...WORKS),
      isRight: (result) => isAnswer(ours.outputOf(result)),
    },
    { ...rest, name: 'cockatiel', call: cockatiel.nestedWithin(TIMEOUT, true, ...WORKS) },
    { ...rest, name: 'cockatiel, abortOnReturn off', call: cockatiel.nestedWithin(TIMEOUT, false, ...WORKS) },
    { ...rest, name: 'opossum', ...opossum.chainedWithin(TIMEOUT, ...WORKS) },
    { ...rest, name: 'Effect ExecutionPlan of contexts', call: effect.planWithin(TIMEOUT, ...WORKS) },
    { ...rest, name: 'loop by hand', call: byHand.loopWithin(TIMEOUT, ...WORKS) },
  ];
}

const isOpen = (error: unknown) => error instanceof byHand.OpenError;

async function refused(): Promise<readonly Contender[]> {
  const does = { answered: 0, rejected: 0 };
  return [
    {
      name: ours.NAME,
      does,
      call: await ours.exhausted(),
      isRight: (error) => error instanceof FallbackExhaustedError,
    },
    { name: 'cockatiel', does, call: await cockatiel.open(), isRight: (error) => error instanceof BrokenCircuitError },
    {
      name: 'opossum',
      does,
      ...opossum.open(answers),
      isRight: (error) => (error as { code?: unknown } | undefined)?.code === 'EOPENBREAKER',
    },
    { name: 'mollitia', does, ...mollitia.open(answers), isRight: (error) => error instanceof BreakerError },
    { name: 'flag by hand', does, call: byHand.open(answers), isRight: isOpen },
    { name: 'flag by hand, an error without a stack', does, call: byHand.openWithoutStack(answers), isRight: isOpen },
  ];
}

export const limits: readonly TimedRow[] = [
  {
    name: 'run, three providers, two fail, with timeouts and a read of signal',
    how: `each provider may take ${TIMEOUT} ms, and reads its signal. cockatiel: cooperative timeouts in nested fallbacks. opossum has one signal for all calls, and reads that. p-retry and mollitia have no timeout that gives a signal.`,
    unit: 'ns per call',
    manner: 'awaited',
    targets: { cockatiel: 1 },
    contenders: async () => withTimeouts(),
  },
  {
    name: 'refused while exhausted',
    how: 'an exhausted fallback, an open breaker: the refusal, an error, is caught. Nothing is called. Ours has no stack. p-retry and Effect keep no state that could refuse.',
    unit: 'ns per call',
    manner: 'caught',
    targets: { cockatiel: 0.25, opossum: 0.5 },
    contenders: refused,
  },
];
