// Serves an application that takes web-standard requests, by a Node request listener. For tests: a
// body is held in memory.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { FetchTarget } from './options.ts';

/** Makes a listener. An error of the application is a 500, and a URL that is none is a 400. */
export function listenerOf(application: FetchTarget): RequestListener {
  return (incoming, outgoing) => {
    answer(application, incoming, outgoing).catch(() => {
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500).end();
    });
  };
}

async function answer(
  application: FetchTarget,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const request = requestOf(incoming, Buffer.concat(chunks));
  if (request === undefined) {
    outgoing.writeHead(400).end();
    return;
  }
  const response = await application.fetch(request);
  const body = Buffer.from(await response.arrayBuffer());
  outgoing.writeHead(response.status, [...response.headers].flat());
  outgoing.end(body);
}

/** @returns undefined for what no server makes a Request of */
function requestOf({ method = 'GET', url = '/', rawHeaders, headers }: IncomingMessage, body: Buffer) {
  try {
    const absolute = url.startsWith('/') ? `http://${headers.host ?? 'localhost'}${url}` : url;
    const joined = new Headers();
    for (let at = 0; at < rawHeaders.length; at += 2)
      joined.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
    return new Request(absolute, {
      method,
      headers: joined,
      ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
    });
  } catch {
    return undefined;
  }
}
