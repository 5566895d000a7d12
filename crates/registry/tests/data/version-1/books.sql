CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL);
CREATE TABLE counter (
    name TEXT NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);
CREATE TABLE block (
    prefix BIGINT NOT NULL PRIMARY KEY,
    key_check TEXT NOT NULL,
    opened_at BIGINT NOT NULL
);
CREATE TABLE record (
    record_id INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    salt BYTEA NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE logged (
    record_id INTEGER NOT NULL PRIMARY KEY,
    log_index BIGINT NOT NULL UNIQUE
);
CREATE TABLE party (
    party_id INTEGER NOT NULL PRIMARY KEY,
    licence TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (licence, name)
);
CREATE TABLE closure (
    licence TEXT NOT NULL PRIMARY KEY,
    closed_on BIGINT NOT NULL,
    records_at TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);
CREATE TABLE line (
    line_id INTEGER NOT NULL PRIMARY KEY,
    licence TEXT NOT NULL,
    model TEXT NOT NULL,
    UNIQUE (licence, model)
);
CREATE TABLE description (
    description_id INTEGER NOT NULL PRIMARY KEY,
    body TEXT NOT NULL UNIQUE
);
CREATE TABLE firearm (
    firearm_id INTEGER NOT NULL PRIMARY KEY,
    line_id BIGINT NOT NULL REFERENCES line (line_id),
    serial TEXT NOT NULL,
    description_id BIGINT NOT NULL REFERENCES description (description_id),
    UNIQUE (line_id, serial)
);
CREATE TABLE code (
    code BIGINT NOT NULL PRIMARY KEY,
    unit BIGINT NOT NULL UNIQUE,
    parts BIGINT NOT NULL,
    firearm_id BIGINT REFERENCES firearm (firearm_id),
    record_id BIGINT NOT NULL,
    issued_at BIGINT NOT NULL
);
CREATE TABLE entry (
    entry_id INTEGER NOT NULL PRIMARY KEY,
    firearm_id BIGINT NOT NULL REFERENCES firearm (firearm_id),
    kind TEXT NOT NULL,
    holder BIGINT NOT NULL REFERENCES party (party_id),
    other BIGINT REFERENCES party (party_id),
    happened_on BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    description_id BIGINT REFERENCES description (description_id),
    code BIGINT,
    corrects BIGINT,
    void BIGINT NOT NULL,
    body TEXT
);
CREATE TABLE fitting (
    entry_id INTEGER NOT NULL PRIMARY KEY,
    code BIGINT NOT NULL
);
CREATE INDEX entry_firearm ON entry (firearm_id);
CREATE UNIQUE INDEX entry_corrects ON entry (corrects) WHERE corrects IS NOT NULL;
CREATE INDEX fitting_code ON fitting (code);
INSERT INTO schema_version VALUES(0,1795402080589358);
INSERT INTO schema_version VALUES(1,1795402078365597);
INSERT INTO counter VALUES('record',10);
INSERT INTO counter VALUES('unit:K7',3);
INSERT INTO counter VALUES('line',2);
INSERT INTO counter VALUES('description',2);
INSERT INTO counter VALUES('party',2);
INSERT INTO counter VALUES('firearm',5);
INSERT INTO counter VALUES('entry',9);
INSERT INTO block VALUES(583,'8019455dbf3196f7',1795402078365597);
INSERT INTO record VALUES(1,'block',1795402078365597,X'61D1BA9FDF9C586DBBA87E555F513A18BD550E51263997D99B18177A5DF95909','{"prefix":"K7"}');
INSERT INTO record VALUES(2,'issue',1795402078629840,X'B8BA42DA6337564D132AD6B1208B704BB20015170939063975EBF5D9515FFEDA','{"by":"clerk","codes_sha256":"1feb416895144c658f3d45909762e607b4a0cf2449c2bad2e433b1ad03acd959","count":3,"description":{"calibre":"9 mm Luger","country":"US","importer":null,"kind":"pistol","manufacturer":"Example Arms (synthetic)"},"first_unit":0,"made_on":"2024-01-02","model":"M9","parts":["firing-pin","breech-face"],"prefix":"K7"}');
INSERT INTO record VALUES(3,'entry',1795402078855393,X'A1BEA61C9FDE226294F73B3D8624CDD8E11EF917AF45F9DC267D124BD6165EED','{"by":"clerk","entry":{"description":null,"event":{"holder":{"licence":"1-23-456-78-9A-12345","name":"Example Arms (synthetic)"},"kind":"disposed","to":{"licensee":{"licence":"1-23-456-01-9A-33333","name":"Corner_Guns"}}},"firearm":{"licence":"1-23-456-78-9A-12345","model":"M9","serial":"AB0001"},"on":"2024-02-01"}}');
INSERT INTO record VALUES(4,'entry',1795402079173396,X'08B9EF384624E73585FF6EEB93743691AF6B512C9C4D1DF1C5B232A23E370D79','{"by":"clerk","entry":{"description":null,"event":{"holder":{"licence":"1-23-456-01-9A-33333","name":"Corner_Guns"},"kind":"disposed","to":{"form4473":"T-0815"}},"firearm":{"licence":"1-23-456-78-9A-12345","model":"M9","serial":"AB0001"},"on":"2024-04-01"}}');
INSERT INTO record VALUES(5,'entry',1795402079342994,X'CC90C9ED9ECF6E4ED7A684F19836620D6080721006AF0F7C4E23ADD2B7EC508F','{"by":"clerk","entry":{"description":null,"event":{"by":{"licence":"1-23-456-01-9A-33333","name":"Corner_Guns"},"code":"K7D2 3EJF","kind":"part-removed","part":"firing-pin"},"firearm":{"licence":"1-23-456-78-9A-12345","model":"M9","serial":"AB0001"},"on":"2024-05-01"}}');
INSERT INTO record VALUES(6,'import',1795402079677033,X'11C7A3B5FCB24E32BF8359110B3E61EB5ADDC1E07E918DAD1F82CE7382B83D1F','{"by":"clerk","mapping":{"columns":{},"dates":null,"defaults":{}},"skip_rejected":false,"table_sha256":"8f5a5aaf24ae4ae2576ffc02a4eaaf5e0edc39ad8ce4f3cbd79faee71fd5cb76"}');
INSERT INTO record VALUES(7,'correction',1795402080030600,X'21CBD7D51EDBDA3AF85368C65A94CFF3207B8FB8EFB43750232752B8D7FA3C94','{"by":"clerk","correction":{"becomes":[{"holder":{"licence":"1-23-456-01-9A-33333","name":"Corner_Guns"},"kind":"disposed","to":{"form4473":"T-0815"}},"2024-04-11"],"description":null,"entry":5,"firearm":{"licence":"1-23-456-78-9A-12345","model":"M9","serial":"AB0001"},"reason":"the dealer gave the wrong day"}}');
INSERT INTO record VALUES(8,'trace',1795402080250958,X'639777600182E3CE600469CA792DC3B96EBE9D2B92E3B9C914524AA0B0C2CD82','{"approver":null,"case_number":"26-0001","codes":[["K7D2 3EJF","1.000000000"]],"crime_code":null,"ori":"CA0194200","priority":"routine","reading_sha256":null,"reason":"case recovered at a scene","recovered_on":null,"requester":"clerk"}');
INSERT INTO record VALUES(9,'answer',1795402080250958,X'1D9C596DEB484EC1CCFA5E1EEC107080DC9757744D03C84565DB3C2C40FB76E4','{"answer":{"chain":{"end":{"dealer":{"licence":"1-23-456-01-9A-33333","name":"Corner_Guns"},"end":"retail-sale","form_4473":null,"on":"2024-04-11"},"first_sale":{"dealer":{"licence":"1-23-456-01-9A-33333","name":"Corner_Guns"},"form_4473":null,"on":"2024-04-11"},"links":[{"from":"2024-01-02","licensee":{"licence":"1-23-456-78-9A-12345","name":"Example Arms (synthetic)"},"role":"manufacturer","until":"2024-02-01"},{"from":"2024-02-01","licensee":{"licence":"1-23-456-01-9A-33333","name":"Corner_Guns"},"role":"retailer","until":"2024-04-11"}],"losses":[]},"code":"K7D2 3EJF","firearm":{"calibre":"9 mm Luger","country":"US","importer":null,"kind":"pistol","licence":"1-23-456-78-9A-12345","manufacturer":"Example Arms (synthetic)","model":"M9","serial":"AB0001"},"outcome":"found","parts":[{"fitted":false,"part":"firing-pin","since":"2024-05-01"},{"fitted":true,"part":"breech-face","since":"2026-11-23"}],"posterior":"1.000000000","posterior_given_issued":"1.000000000","reference_withheld":true,"time_to_crime":"unknown"},"question":8,"statement":["code K7D2 3EJF is that of the pistol M9 serial AB0001 of licence 1-23-456-78-9A-12345 by Example Arms (synthetic), calibre 9 mm Luger","the firing-pin with this code was not in this firearm: taken out or replaced on 2024-05-01","the chain ends with a retail sale by Corner_Guns, licence 1-23-456-01-9A-33333 on 2024-04-11","The first retail purchaser is not thereby a suspect.","the Form 4473 reference is withheld until someone other than the requester approves","A case is a lead to a firearm, never to a person: cases can be carried to a scene, and parts can be replaced."]}');
INSERT INTO record VALUES(10,'backup',1795402080673992,X'0D0EA002869C32DAF9D761B9EF39922756460B8B2AAA9043A0CE06A208D61B66','{"by":"clerk"}');
INSERT INTO logged VALUES(1,0);
INSERT INTO logged VALUES(2,1);
INSERT INTO logged VALUES(3,2);
INSERT INTO logged VALUES(4,3);
INSERT INTO logged VALUES(5,4);
INSERT INTO logged VALUES(6,5);
INSERT INTO logged VALUES(7,6);
INSERT INTO logged VALUES(8,7);
INSERT INTO logged VALUES(9,8);
INSERT INTO logged VALUES(10,9);
INSERT INTO party VALUES(1,'1-23-456-78-9A-12345','Example Arms (synthetic)');
INSERT INTO party VALUES(2,'1-23-456-01-9A-33333','Corner_Guns');
INSERT INTO line VALUES(1,'1-23-456-78-9A-12345','M9');
INSERT INTO line VALUES(2,'1-23-456-78-9A-12345','Old');
INSERT INTO description VALUES(1,'{"manufacturer":"Example Arms (synthetic)","importer":null,"kind":"pistol","calibre":"9 mm Luger","country":"US"}');
INSERT INTO description VALUES(2,'{"manufacturer":"Example Arms (synthetic)","importer":null,"kind":"pistol","calibre":"9 mm","country":"US"}');
INSERT INTO firearm VALUES(1,1,'AB0001',1);
INSERT INTO firearm VALUES(2,1,'AB0002',1);
INSERT INTO firearm VALUES(3,1,'AB0003',1);
INSERT INTO firearm VALUES(4,2,'X1',2);
INSERT INTO firearm VALUES(5,2,'X2',2);
INSERT INTO code VALUES(611715181,611319808,3,1,2,1795402078629840);
INSERT INTO code VALUES(611762075,611319809,3,2,2,1795402078629840);
INSERT INTO code VALUES(612087714,611319810,3,3,2,1795402078629840);
INSERT INTO entry VALUES(1,1,'manufactured',1,NULL,19724,1795402078629840,'clerk',NULL,611715181,NULL,0,NULL);
INSERT INTO entry VALUES(2,2,'manufactured',1,NULL,19724,1795402078629840,'clerk',NULL,611762075,NULL,0,NULL);
INSERT INTO entry VALUES(3,3,'manufactured',1,NULL,19724,1795402078629840,'clerk',NULL,612087714,NULL,0,NULL);
INSERT INTO entry VALUES(4,1,'disposed',1,2,19754,1795402078855393,'clerk',NULL,NULL,NULL,0,NULL);
INSERT INTO entry VALUES(5,1,'disposed',2,NULL,19814,1795402079173396,'clerk',NULL,NULL,NULL,0,'{"form_4473":"T-0815"}');
INSERT INTO entry VALUES(6,1,'part-removed',2,NULL,19844,1795402079342994,'clerk',NULL,611715181,NULL,0,'{"part":"firing-pin"}');
INSERT INTO entry VALUES(7,4,'manufactured',1,NULL,18263,1795402079677033,'clerk',NULL,NULL,NULL,0,NULL);
INSERT INTO entry VALUES(8,5,'manufactured',1,NULL,18263,1795402079677033,'clerk',NULL,NULL,NULL,0,NULL);
INSERT INTO entry VALUES(9,1,'disposed',2,NULL,19824,1795402080030600,'clerk',NULL,NULL,5,0,'{"form_4473":"T-0815","correction":"the dealer gave the wrong day"}');
INSERT INTO fitting VALUES(6,611715181);
