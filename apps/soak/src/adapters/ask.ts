// Requests to a service: good tokens over connections that stay open, hostile ones byte by byte.
import { type Agent, request } from 'node:http';
import { connect } from 'node:net';
import { PATH } from './terms.ts';

/** Until an answer has come. */
const DEADLINE_MS = 10_000;

/** Sends a good token. @returns the status. @throws Error where no answer comes */
export function askGood(agent: Agent, port: number, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const asked = request({ agent, port, host: '127.0.0.1', path: PATH, headers, timeout: DEADLINE_MS });
    asked.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')));
    asked.on('error', reject);
    asked.end();
  });
}

/** Sends any text in place of a token, unchanged. @returns the status, or 0 without an answer */
export function askHostile(port: number, token: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setTimeout(DEADLINE_MS, () => socket.destroy());
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)));
    const head = `GET ${PATH} HTTP/1.1\r\nHost: me.example\r\nConnection: close\r\n`;
    socket.end(`${head}Authorization: Bearer ${token}\r\n\r\n`, 'latin1');
  });
}
