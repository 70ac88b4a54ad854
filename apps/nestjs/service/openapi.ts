// The OpenAPI document of the service: /openapi.json says what each handler requires.
import { secureDocument } from '@latchkey/nestjs';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

/** Publishes the document, to everybody: Nest runs no guard for it. */
export function publishDocument(app: INestApplication): void {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Friends and messages')
    .setVersion('1.0.0')
    .build();
  const document = secureDocument(app, () => SwaggerModule.createDocument(app, config));
  SwaggerModule.setup('docs', app, document, { ui: false, raw: ['json'], jsonDocumentUrl: 'openapi.json' });
}
