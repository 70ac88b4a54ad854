// A service that verifies one token and then has no work. It does not call close() and must end by
// itself.
import { createAuthenticator } from '@latchkey/core';

const [issuer = '', jwksUrl = '', audience = '', token = ''] = process.argv.slice(2);
const authenticator = createAuthenticator({ keySets: [{ issuer, jwksUrl, allowHttp: true }], audience });
await authenticator.verify(token);
console.log('verified');
