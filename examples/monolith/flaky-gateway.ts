import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen, readJson, sendJson } from './http.ts';
import { orderSchema } from './payments.ts';
import type { Tell } from './timeline.ts';

/** `slow` takes 200 ms, `hanging` never answers, `dead` drops the connection. */
export type Health = 'well' | 'slow' | 'hanging' | 'dead';

/** A payment gateway on loopback that thrives, suffers and dies as it is told. */
export async function startFlakyGateway(name: string, tell: Tell) {
  let health: Health = 'well';
  let calls = 0;

  async function serve(request: IncomingMessage, response: ServerResponse) {
    calls++;
    const { orderId, card } = orderSchema.parse(await readJson(request));
    const say = (what: string) => tell(name, `${orderId}: ${what}`);
    if (health === 'hanging') return say('… (no answer)');
    if (health === 'dead') {
      say('drops the connection');
      request.socket.destroy();
      return;
    }
    if (health === 'slow') {
      say('takes its time');
      await sleep(200);
    }
    if (card === 'empty') {
      say('declines the card');
      return sendJson(response, 402, { error: 'card declined' });
    }
    say('charged');
    sendJson(response, 200, { gateway: name, charge: `${name}-${calls}` });
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  return {
    url: await listen(server),
    /** How often it was called so far. */
    get calls() {
      return calls;
    },
    become(next: Health) {
      health = next;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export type FlakyGateway = Awaited<ReturnType<typeof startFlakyGateway>>;
