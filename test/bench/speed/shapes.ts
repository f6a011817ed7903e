/** How often the work behind one call is done: how many functions answer, how many reject. */
export interface Done {
  readonly answered: number;
  readonly rejected: number;
}

/** One library, set up for one row. */
export interface Contender {
  readonly name: string;
  /** One call, as its user would write it. */
  readonly call: () => unknown;
  /** What one call does; counted in every sample, so that a breaker that opens on the way is found out. */
  readonly does: Done;
  /** Whether a call came to what it must come to: its output or, where the row refuses, its error. */
  readonly isRight: (outcome: unknown) => boolean;
  /** How many operations one call is, where it is not one. */
  readonly operations?: number;
  /** Between samples, untimed: lets go of what would burden the others. */
  readonly tidy?: () => void;
  /** After the last sample. */
  readonly dispose?: () => void;
}

/** How a sample calls: awaiting what is promised, catching what is refused, or at once. */
export type Manner = 'awaited' | 'caught' | 'at once';

/** Greatest ratios (ours ÷ theirs) that count as reached, by the other's name. */
export type Targets = Readonly<Record<string, number>>;

/** A row that times calls. The first contender is ours, and is divided by each of the others. */
export interface TimedRow {
  readonly name: string;
  readonly how: string;
  readonly unit: 'ns per call' | 'ns per step';
  readonly manner: Manner;
  readonly targets: Targets;
  /** Calls per sample, where only the first after a quiet moment are timed, in which all garbage has been collected. */
  readonly first?: number;
  /** Calls per sample, where they leave something behind: a sample then ends with a collection of garbage, timed. */
  readonly leaving?: number;
  readonly contenders: () => Promise<readonly Contender[]>;
}

/** A row that measures something else, with processes of its own. */
export interface OwnRow {
  readonly name: string;
  readonly measure: (settings: Settings) => Promise<readonly Result[]>;
}

export type Row = TimedRow | OwnRow;

/** How much is measured. */
export interface Settings {
  /** How many of them measure each timed row, and how many samples each takes of each contender. */
  readonly processes: number;
  readonly rounds: number;
  readonly sampleMs: number;
  readonly warmUpMs: number;
  readonly warmUpRounds: number;
  /** Processes per contender for the cold import. */
  readonly imports: number;
  /** Processes per contender, and keys in each, for what is remembered. */
  readonly heaps: number;
  readonly keys: number;
}

/** What a row came to: raw, so that everything shown can be derived from it anew. */
export interface Result {
  readonly row: string;
  readonly how: string;
  readonly unit: string;
  readonly targets: Targets;
  /** The most that ours may come to by itself. */
  readonly limit?: number;
  /** Ours first. The n-th sample of each was taken in the n-th round. */
  readonly contenders: readonly Samples[];
}

export interface Samples {
  readonly name: string;
  readonly samples: readonly number[];
}

/** All that a run came to, and where. */
export interface Report {
  readonly cpu: string;
  readonly node: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly settings: Settings;
  readonly results: readonly Result[];
}
