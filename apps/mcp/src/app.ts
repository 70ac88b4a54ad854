// The notes service: an MCP server over streamable HTTP, with sessions. It does not listen.
import { randomUUID } from 'node:crypto';
import {
  type AuthenticatedRequest,
  type Authenticator,
  authenticate,
  present,
  publishResource,
  requireClaims,
} from '@latchkey/express';
import { createSessions, endAtExpiry, scopeChallenge, withAuthInfo } from '@latchkey/mcp';
import { NodeStreamableHTTPServerTransport, originValidation } from '@modelcontextprotocol/node';
import express, { type Express, type Response } from 'express';
import type { Calendar } from './calendar.ts';
import { createNotesServer, type Notes, rules } from './notes.ts';

/**
 * Builds the service. The authenticator decides which tokens are valid. The host name is that of
 * the service: pages of other hosts get no answer. Without a calendar, there is no tool for it.
 */
export function createApp(authenticator: Authenticator, hostname: string, calendar?: Calendar): Express {
  const notes: Notes = new Map();
  const sessions = createSessions<NodeStreamableHTTPServerTransport>();
  const app = express();
  app.disable('x-powered-by');
  app.get('/health', (_request, response) => {
    response.json({ status: 'ok' });
  });
  // Clients find here which issuer they get tokens from.
  app.use(publishResource(authenticator));

  // The transport of MCP requires this check of `Origin`. Clients outside of browsers send none.
  const isOurPage = originValidation([hostname]);
  app.use('/mcp', (request, response, next) => {
    if (isOurPage(request, response)) next();
  });
  // Every tool needs this scope, so the challenge of a request without a token names it.
  const access = { claims: { scope: 'notes:read' } };
  // The service reads no body of an unauthenticated request.
  app.use(
    '/mcp',
    authenticate(authenticator, access),
    express.json({ limit: '100kb' }),
    scopeChallenge(rules),
  );
  app.all(
    '/mcp',
    // Every caller has notes of its own, so each needs a subject.
    requireClaims({ sub: present() }, async (request, response) => {
      const transport = await transportOf(request, response);
      if (transport === undefined) return;
      endAtExpiry(response, request.auth);
      await transport.handleRequest(withAuthInfo(request), response, request.body);
    }),
  );

  /** The transport of the session, or a new one; undefined if the request has been answered. */
  async function transportOf(
    request: AuthenticatedRequest,
    response: Response,
  ): Promise<NodeStreamableHTTPServerTransport | undefined> {
    const id = request.headers['mcp-session-id'];
    if (id === undefined) return await open(request);
    const found = sessions.find(id, request.auth);
    // The same answer for a session of another caller as for none.
    if (found === undefined)
      response
        .status(404)
        .json({ jsonrpc: '2.0', id: null, error: { code: -32_001, message: 'Session not found' } });
    return found;
  }

  async function open({ auth }: AuthenticatedRequest): Promise<NodeStreamableHTTPServerTransport> {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.add(id, auth, transport),
    });
    await createNotesServer(notes, calendar).connect(transport);
    const { onclose } = transport;
    transport.onclose = () => {
      if (transport.sessionId !== undefined) sessions.delete(transport.sessionId);
      onclose?.();
    };
    return transport;
  }

  return app;
}
