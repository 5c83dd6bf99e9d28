--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET client_encoding = 'UTF8';

CREATE TABLE public.auth_user (
    id integer NOT NULL
);

COPY public.auth_user (id, password, last_login, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) FROM stdin;
1	pbkdf2_sha256$1000$abc$t11+5kTllhD5MA95f4Ske+D29CJam2mso5Ac2fv1SGw=	2015-07-10 15:21:04.840912+00	t	ann	Ann	A	ann@example.com	t	t	2014-01-01 00:00:00+00
2	sha1$x$y	\N	f	raj				f	t	2014-02-01 02:00:00+02
3	!unusable	\N	f	gone				f	f	2014-03-01 00:00:00+00
\.


COPY public.deployment_app (id, name, repo_url, repo_type, buildpack_id, stack_id) FROM stdin;
1	shop	https://bot:hunter2@git.example.com/shop.git	git	2	1
3	old-name	https://git.example.com/old	hg	\N	\N
\.


COPY public.deployment_build (id, app_id, tag, os_image_id, file, file_md5, compile_log, start_time, end_time, status, hash, env_yaml, buildpack_url, buildpack_version) FROM stdin;
12	1	v4	1	builds/shop-v4-9e10.tar.gz	9e107d9d372bb6826bd81d3542a419d6	builds/build_12_compile.log	2015-07-10 15:28:40.5+00	2015-07-10 15:30:01.123456+00	success	853cf998ed9a36351e403563712828c3	PATH: /app/bin\n	https://github.com/x/bp.git#0ab1	0ab1
13	1	v5	\N		\N		\N	\N	pending				
14	99	v1	\N		\N		\N	\N	failed				
\.


COPY public.deployment_buildpack (id, repo_url, repo_type, "desc", "order") FROM stdin;
2	https://github.com/x/bp.git	git	\N	1
\.


COPY public.deployment_configingredient (id, name, config_yaml, env_yaml) FROM stdin;
1	db-main	db: pg\nlevel: 1\n	DB_HOST: db1\n
2	broken	{{: no	
\.


COPY public.deployment_dashboard (id, name, slug) FROM stdin;
1	Payments	payments
\.


COPY public.deployment_dashboard_apps (id, dashboard_id, app_id) FROM stdin;
1	1	1
\.


COPY public.deployment_deploymentlogentry (id, type, "time", user_id, message) FROM stdin;
100	swarm	2015-07-10 15:21:04+00	1	swarm shop-v4-prod-web
101	build	2015-07-11 15:21:04.000001+00	77	build shop-v5
\.


COPY public.deployment_host (id, name, active, squad_id) FROM stdin;
1	h1.example.com	t	1
2	h2.example.com	f	\N
\.


COPY public.deployment_osimage (id, stack_id, name, file, file_md5, base_image_url, base_image_name, provisioning_script_url, build_log, active) FROM stdin;
1	1	trusty_20150710_1	images/trusty_20150710_1/images/trusty_20150710_1.tar.gz	e4d909c290d0fb1ca068ffaddf22cbd0	http://x/base.tar.gz	trusty_base	http://x/s.sh	images/trusty_20150710_1.log	t
\.


COPY public.deployment_osstack (id, name, "desc", base_image_url, provisioning_script) FROM stdin;
1	trusty	Ubuntu 14.04	http://x/base.tar.gz	provisioning_scripts/trusty.sh
\.


COPY public.deployment_portlock (id, host_id, port, created_time) FROM stdin;
1	1	5000	2015-07-10 15:21:04+00
\.


COPY public.deployment_release (id, build_id, config_yaml, env_yaml, volumes, hash, run_as, mem_limit, memsw_limit) FROM stdin;
9	12	b: 2\ntricky: é\n	A: '1'\n	- - /foo\n  - /bar\n	b348ae9e	nobody	256M	\N
10	13					nobody	\N	\N
\.


COPY public.deployment_squad (id, name) FROM stdin;
1	local
\.


COPY public.deployment_swarm (id, app_id, release_id, config_name, proc_name, squad_id, size, pool, balancer, config_yaml, env_yaml, volumes, run_as, mem_limit, memsw_limit) FROM stdin;
5	1	9	prod	web	1	2	shop	lb1	level: 2\n	A: '1'\n			256M	
6	3	\N	prod	web	1	1	\N	\N				nobody	\N	\N
7	88	9	prod	web	1	1	\N	\N				nobody	\N	\N
\.


COPY public.deployment_swarm_config_ingredients (id, swarm_id, configingredient_id) FROM stdin;
1	5	1
2	5	2
\.


COPY public.deployment_testresult (id, run_id, "time", hostname, procname, passed, testcount, results) FROM stdin;
1	3	2015-07-10 15:21:04+00	h1.example.com	shop-v4-prod-b348ae9e-web-5003	f	1	- Name: 01_up\n  Output: |\n    no\n  Passed: false\n
\.


COPY public.deployment_testrun (id, "start", "end") FROM stdin;
3	2015-07-10 15:21:00+00	2015-07-10 15:22:00+00
\.


COPY public.deployment_userprofile (id, user_id, default_dashboard_id) FROM stdin;
1	1	1
\.


COPY public.deployment_userprofile_quick_dashboards (id, userprofile_id, dashboard_id) FROM stdin;
1	1	1
\.


COPY public.django_content_type (id, app_label, model) FROM stdin;
1	auth	user
11	deployment	swarm
12	deployment	configingredient
\.


COPY public.reversion_revision (id, manager_slug, date_created, user_id, comment) FROM stdin;
50	default	2015-07-09 10:00:00+00	1	Created from web form.
51	default	2015-07-10 10:00:00+00	77	Updated from the API.
\.


COPY public.reversion_version (id, revision_id, object_id, object_id_int, content_type_id, format, serialized_data, object_repr) FROM stdin;
60	50	5	5	11	json	[{"model": "deployment.swarm", "pk": 5, "fields": {"app": 1, "release": 9, "config_name": "prod", "proc_name": "web", "squad": 1, "size": 1, "pool": "shop", "config_yaml": "level: 1\\n", "env_yaml": "", "volumes": "", "run_as": "nobody", "mem_limit": "256M", "memsw_limit": "", "config_ingredients": [1]}}]	shop-v4-prod-b348ae9e-web
61	51	5	5	11	json	[{"model": "deployment.swarm", "pk": 5, "fields": {"app": 1, "release": 9, "config_name": "prod", "proc_name": "web", "squad": 1, "size": 2, "pool": "shop", "config_yaml": "level: 2\\n", "env_yaml": "", "volumes": "", "run_as": "nobody", "mem_limit": "256M", "memsw_limit": "", "config_ingredients": []}}]	shop-v4-prod-b348ae9e-web
62	51	1	1	1	json	[{"model": "deployment.user", "pk": 1, "fields": {"username": "ann"}}]	ann
\.


--
-- PostgreSQL database dump complete
--
