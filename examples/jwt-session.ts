/**
 * Sessions verified with jose: a provider reads who calls, a bad token is refused, and no token is ever shown.
 *   npx tsx examples/jwt-session.ts
 */
import { inspect } from 'node:util';
import { createDuctape, defineFallback, SessionError } from 'ductape-fallback';
import { generateKeyPair, jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';

const ours = await generateKeyPair('EdDSA');
const theirs = await generateKeyPair('EdDSA');
const claims = z.object({ sub: z.string(), plan: z.string() });

const checkoutFailure = defineFallback({
  tag: 'checkout-failure',
  input: z.object({ cartId: z.string() }),
  session: 'required',
  providers: [
    {
      name: 'saved-cart',
      run({ cartId }, ctx) {
        const { sub, plan } = claims.parse(ctx.session?.data);
        say(`a provider logs its session: ${inspect(ctx.session, { compact: true })}`);
        say(`and as JSON: ${JSON.stringify(ctx.session)}`);
        return `${cartId} is kept for ${sub} (${plan} plan)`;
      },
    },
  ],
});

const ductape = createDuctape({
  env: 'prd',
  product: 'shop',
  fallbacks: [checkoutFailure],
  sessions: {
    // Returns the claims, or throws: for a wrong signature, an expired token, another shop's audience.
    'user-session': async (token, { product }) =>
      (await jwtVerify(token, ours.publicKey, { audience: product })).payload,
  },
});

const printed: string[] = [];
ductape.fallback.on('triggered', (event) => say(`a listener hears: ${JSON.stringify(event)}`));

const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;
const tokens = {
  'a valid token': await sign(ours.privateKey, inAnHour),
  'an expired token': await sign(ours.privateKey, inAnHour - 7_200),
  'a forged token': await sign(theirs.privateKey, inAnHour),
};
for (const [name, token] of Object.entries(tokens)) await checkoutWith(name, { tag: 'user-session', token });
await checkoutWith('a session of an unknown kind', { tag: 'admin-session', token: tokens['a valid token'] });
await checkoutWith('no session at all');

say('', `snapshot: ${JSON.stringify(ductape.fallback.snapshot())}`);
// A token's signature is its last part: neither it nor the whole may stand in anything printed so far.
const secrets = Object.values(tokens).flatMap((token) => [token, token.slice(token.lastIndexOf('.') + 1)]);
const leaks = printed.filter((line) => secrets.some((secret) => line.includes(secret)));
say('', `${printed.length} lines printed, ${leaks.length} of them with a token`);
process.exitCode = leaks.length;

async function checkoutWith(name: string, session?: { readonly tag: string; readonly token: string }) {
  say('', `With ${name}`);
  try {
    const { output } = await ductape.fallback.run({
      fallback_tag: 'checkout-failure',
      action: 'trigger',
      input: { cartId: 'cart_456' },
      ...(session && { session }),
    });
    say(`→ ${output}`);
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    say(`→ ${error.name}, reason ${error.reason}: ${error.message}`);
    say(`  as JSON: ${JSON.stringify(error)}`);
  }
}

function sign(key: CryptoKey, expiresAt: number) {
  const payload = { plan: 'pro' };
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'EdDSA' })
    .setSubject('ada')
    .setAudience('shop')
    .setExpirationTime(expiresAt)
    .sign(key);
}

function say(...lines: string[]) {
  for (const line of lines) {
    printed.push(line);
    console.log(line);
  }
}
