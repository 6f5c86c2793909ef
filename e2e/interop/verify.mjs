// Verifies a site's tokens with the libraries that other services use. Reads what
// to verify as JSON from standard input, and writes a line for each library and
// token to standard output: "jose access: accepted <_id>" or "jose refresh: refused".
import { readFileSync } from 'node:fs';
import jsonwebtoken from 'jsonwebtoken';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { JwtVerifier } from 'aws-jwt-verify';

const { alg, secret, publicKey, jwks, issuer, audience, access, refresh } = JSON.parse(readFileSync(0, 'utf8'));

// The claims are changed, the signature is not.
function tamper(token) {
  const [header, payload, signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  claims.roles = ['admin'];
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

// The header declares that there is no signature, and there is none.
function unsigned(token) {
  const header = { ...JSON.parse(Buffer.from(token.split('.')[0], 'base64url')), alg: 'none' };
  return Buffer.from(JSON.stringify(header)).toString('base64url') + '.' + token.split('.')[1] + '.';
}

const libraries = {};
if (alg !== 'EdDSA') { // which jsonwebtoken doesn't support
  libraries.jsonwebtoken = (token) => jsonwebtoken.verify(token, secret ?? publicKey, { algorithms: [alg], issuer, audience });
}
const jose = secret ? new TextEncoder().encode(secret) : createRemoteJWKSet(new URL(jwks));
libraries.jose = async (token) => (await jwtVerify(token, jose, { algorithms: [alg], issuer, audience, typ: 'at+jwt' })).payload;
if (!secret) { // which aws-jwt-verify doesn't support
  const verifier = JwtVerifier.create({ issuer, audience, jwksUri: jwks });
  libraries['aws-jwt-verify'] = (token) => verifier.verify(token);
}

const tokens = { access, tampered: tamper(access), unsigned: unsigned(access), refresh };
for (const [library, verify] of Object.entries(libraries)) {
  for (const [name, token] of Object.entries(tokens)) {
    try {
      const claims = await verify(token);
      console.log(`${library} ${name}: accepted ${claims._id}`);
    } catch (error) {
      console.log(`${library} ${name}: refused`);
      console.error(`${library} ${name}: ${error.name}: ${error.message}`);
    }
  }
}
