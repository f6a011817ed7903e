import type { Request } from './definition/request.ts';
import { isThenable } from './definition/standard.ts';
import { SessionError, type Where } from './errors.ts';
import { show } from './quote.ts';
import type { ISession, Session, SessionVerifier } from './types.ts';

/** A session as providers see it. The token can be read, and nothing else shows it. */
class OpenSession implements Session {
  static {
    // What console.log calls it, minified or not.
    Object.defineProperty(OpenSession, 'name', { value: 'Session' });
  }

  readonly tag: string;
  readonly data: unknown;
  readonly verified: boolean;
  readonly #token: string;

  constructor({ tag, token }: ISession, data: unknown, verified: boolean) {
    this.tag = tag;
    this.data = data;
    this.verified = verified;
    this.#token = token;
  }

  get token(): string {
    return this.#token;
  }

  /** A verifier's data may hold the token. */
  toJSON(): { tag: string; verified: boolean } {
    return { tag: this.tag, verified: this.verified };
  }
}

/**
 * The session of a request, verified where the engine has verifiers.
 *
 * @throws SessionError, or rejects with one
 */
export function openSession(
  verifiers: ReadonlyMap<string, SessionVerifier> | undefined,
  request: Request,
  isRequired: boolean,
  where: Where,
): Session | undefined | PromiseLike<Session> {
  const { session, tag } = request;
  if (session)
    return verifiers ? verified(verifiers, session, request, where) : new OpenSession(session, undefined, false);
  if (isRequired) throw new SessionError('missing', `${tag} asks for a session, and the request has none`, where);
  return undefined;
}

function verified(
  verifiers: ReadonlyMap<string, SessionVerifier>,
  session: ISession,
  { env, product, tag }: Request,
  where: Where,
): Session | PromiseLike<Session> {
  const verify = verifiers.get(session.tag);
  if (!verify) {
    const known = [...verifiers.keys()].map(show).join(', ') || 'none';
    throw new SessionError('unknown', `No verifier for session ${show(session.tag)}; there is ${known}`, where);
  }
  const refused = () => new SessionError('refused', `The session ${show(session.tag)} was refused`, where);
  try {
    const data = verify(session.token, { env, product, tag });
    if (!isThenable(data)) return new OpenSession(session, data, true);
    return new Promise((resolve) => resolve(data)).then(
      (settled) => new OpenSession(session, settled, true),
      () => {
        throw refused();
      },
    );
  } catch {
    throw refused();
  }
}
