import type { Entry, LintCode, LintFinding, LintSeverity } from './lint-finding.ts';
import type { RawDefinition, RawProvider } from './raw.ts';

/** What is likely to be a mistake in the fields of provider safety; `plan`: the providers in the order they are tried in. */
export function safetyOf(
  raw: RawDefinition,
  entries: readonly Entry[],
  plan: readonly Entry[],
  effects: boolean | undefined,
): LintFinding[] {
  return [
    ...doubleEffects(plan, effects ?? entries.some(({ provider }) => knowsOfEffects(provider))),
    ...entries.flatMap((entry) => [...hedges(entry, raw), ...verifications(entry, raw)]),
    ...health(raw, entries),
    ...staleFirst(plan),
    ...budgets(raw),
    ...nothings(raw, entries),
  ];
}

function found(
  code: LintCode,
  severity: LintSeverity,
  path: string,
  message: string,
  suggestion: string,
): LintFinding[] {
  return [{ code, severity, path, message, suggestion }];
}

/** Its author has thought of what it does to the world. */
function knowsOfEffects({ idempotent, inDoubt, inDoubtWhen, verify, compensate }: RawProvider): boolean {
  return [idempotent, inDoubt, inDoubtWhen, verify, compensate].some((field) => field !== undefined);
}

function doubleEffects(plan: readonly Entry[], isAsked: boolean): LintFinding[] {
  if (!isAsked) return [];
  return plan.flatMap(({ provider, path, limit }, index) => {
    const { name, run, idempotent, inDoubt = 'next', compensate, retries = 0 } = provider;
    const isGuarded = idempotent === true || inDoubt !== 'next' || compensate !== undefined;
    const next = retries > 0 ? provider : plan.slice(index + 1).find(({ provider }) => provider.run)?.provider;
    if (run === undefined || limit === undefined || isGuarded || !next) return [];
    return found(
      'double-effect',
      'warning',
      path,
      `"${name}" may have done its work when it times out, and ${next === provider ? 'its retry' : `"${next.name}"`} does it once more`,
      "give it inDoubt: 'verify' or 'stop', or a compensate; or mark it idempotent: true, if it may run twice",
    );
  });
}

function hedges({ provider, path, limit }: Entry, { deadline }: RawDefinition): LintFinding[] {
  const { name, hedge } = provider;
  const end = Math.min(limit ?? Number.POSITIVE_INFINITY, deadline ?? Number.POSITIVE_INFINITY);
  if (hedge === undefined || hedge < end) return [];
  const what = end === limit ? 'timeout' : 'deadline';
  return found(
    'hedge-never-used',
    'warning',
    `${path}.hedge`,
    `the hedge of "${name}" (${hedge} ms) is never used: its ${what} of ${end} ms strikes before`,
    `lower the hedge below ${end} ms: what nine in ten calls take is a good start`,
  );
}

function verifications({ provider, path, limit }: Entry, { output, deadline }: RawDefinition): LintFinding[] {
  const { name, verify, inDoubtWhen, accept } = provider;
  if (verify === undefined || limit !== undefined) return [];
  const isAsked = inDoubtWhen !== undefined || accept !== undefined || output !== undefined;
  if (isAsked && deadline !== undefined) return [];
  return found(
    'verify-without-timeout',
    'warning',
    `${path}.timeout`,
    isAsked
      ? `the verify of "${name}" may hang for ever, and its caller with it: it has the timeout of "${name}", which has none`
      : `the verify of "${name}" is never asked: without a timeout no attempt is in doubt`,
    isAsked ? 'give it a timeout' : 'give it a timeout, or an inDoubtWhen',
  );
}

function health({ providers, whenAllUnhealthy, resetAfter = 30_000 }: RawDefinition, entries: readonly Entry[]) {
  const findings: LintFinding[] = [];
  const cooldowns = providers.map(({ breaker }) => breaker?.cooldown ?? 0);
  const soonest = Math.min(...cooldowns);
  if (whenAllUnhealthy === 'fail' && typeof resetAfter === 'number' && soonest > resetAfter) {
    findings.push(
      ...found(
        'probe-finds-nobody',
        'warning',
        'resetAfter',
        `the probe that is let in after ${resetAfter} ms may find every provider unhealthy, and fail without a call: the first cooldown ends after ${soonest} ms`,
        `raise resetAfter to ${soonest} ms, shorten a cooldown, or set whenAllUnhealthy to 'try'`,
      ),
    );
  }
  for (const { provider, path } of entries) {
    const { name, breaker, healthcheck } = provider;
    if ((breaker ?? healthcheck) && providers.length === 1 && whenAllUnhealthy !== 'fail') {
      findings.push(
        ...found(
          'health-without-choice',
          'warning',
          `${path}.${breaker ? 'breaker' : 'healthcheck'}`,
          `it changes nothing that "${name}" is unhealthy: there is no other provider, so it is tried all the same`,
          "add another provider, or set whenAllUnhealthy to 'fail'",
        ),
      );
    } else if (healthcheck && !breaker) {
      findings.push(
        ...found(
          'healthcheck-alone',
          'info',
          `${path}.healthcheck`,
          `failed attempts never make "${name}" unhealthy, and good ones never make it healthy: its check alone decides`,
          'give it a breaker, too',
        ),
      );
    }
  }
  return findings;
}

function staleFirst(plan: readonly Entry[]): LintFinding[] {
  return plan.flatMap(({ provider: { name, lastGood, when }, path }, index) => {
    const fresh = plan.slice(index + 1).find(({ provider }) => provider.run)?.provider;
    if (!lastGood || when !== undefined || !fresh) return [];
    return found(
      'stale-first',
      'warning',
      path,
      `"${name}" answers with what may be ${lastGood.maxAge} ms old before "${fresh.name}" is asked for a fresh answer`,
      `move "${name}" behind "${fresh.name}"; if that is what you want, reuse says it plainly`,
    );
  });
}

function budgets({ providers, retryBudget }: RawDefinition): LintFinding[] {
  if (!retryBudget || providers.some(({ retries = 0 }) => retries > 0)) return [];
  return found(
    'budget-without-retries',
    'info',
    'retryBudget',
    'it bounds nothing: no provider has any retries',
    'leave it out, or give a provider retries',
  );
}

/** Limits so low that what they limit never comes about. */
function nothings({ retryBudget, providers }: RawDefinition, entries: readonly Entry[]): LintFinding[] {
  const isSpent = retryBudget?.ratio === 0 && retryBudget.minPerSecond === 0;
  const hasRetries = providers.some(({ retries = 0 }) => retries > 0);
  const none = (path: string, message: string, suggestion: string) =>
    found('limit-of-nothing', 'warning', path, message, suggestion);
  return [
    ...(isSpent && hasRetries
      ? none('retryBudget', 'no retry is ever made: its ratio and its floor are 0', 'raise ratio or minPerSecond')
      : []),
    ...entries.flatMap(({ provider: { name, breaker, healthcheck, lastGood }, path }) => [
      ...(breaker?.cooldown === 0
        ? none(
            `${path}.breaker.cooldown`,
            `"${name}" is never left alone: its cooldown of 0 ms is over at once`,
            'raise it to what the provider needs to recover',
          )
        : []),
      ...(healthcheck && (healthcheck.timeout ?? healthcheck.interval) === 0
        ? none(
            `${path}.healthcheck.${healthcheck.timeout === 0 ? 'timeout' : 'interval'}`,
            `the check of "${name}" has 0 ms to answer in: unless it does so at once, "${name}" is always unhealthy`,
            'give it a timeout of some milliseconds',
          )
        : []),
      ...(lastGood?.maxAge === 0
        ? none(
            `${path}.lastGood.maxAge`,
            `"${name}" never has an answer: one is too old after 0 ms`,
            'raise maxAge to the age at which an old answer is worse than none',
          )
        : []),
    ]),
  ];
}
