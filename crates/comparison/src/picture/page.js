// A, B: surfaces; cells: [x, y on A, x, y on B, side, coefficient, turn in degrees, congruent]; lengths in micrometres.
const size=560,margin=14,foot=34;
const pixels=s=>{const d=atob(s.d),c=document.createElement('canvas');c.width=s.w;c.height=s.h;
 const x=c.getContext('2d'),i=x.createImageData(s.w,s.h);
 for(let k=0;k<d.length;k++){const v=d.charCodeAt(k);i.data.set([v,v,v,v?255:0],4*k)}
 x.putImageData(i,0,0);s.bytes=d;return c};
const pa=pixels(A),pb=pixels(B);
// Where a place of B lies on A.
const cos=Math.cos(turn),sin=Math.sin(turn);
const onA=(u,v)=>{const p=u-B.c[0],q=v-B.c[1];return[A.c[0]+shift[0]+cos*p+sin*q,A.c[1]+shift[1]-sin*p+cos*q]};
// One frame for all pictures: everything measured on either, as it lies on A, and all cells.
const box=[1e9,1e9,-1e9,-1e9];
const reach=(s,to)=>{for(let y=0;y<s.h;y+=3)for(let x=0;x<s.w;x+=3)if(s.bytes.charCodeAt(y*s.w+x)){
 const[u,v]=to(s.o+x*s.p,s.o+y*s.p);box[0]=Math.min(box[0],u);box[1]=Math.min(box[1],v);box[2]=Math.max(box[2],u);box[3]=Math.max(box[3],v)}};
reach(A,(u,v)=>[u,v]);reach(B,onA);
cells.forEach(c=>[0,1].forEach(k=>{box[k]=Math.min(box[k],c[k]-c[4]/2);box[k+2]=Math.max(box[k+2],c[k]+c[4]/2)}));
const scale=Math.min((size-2*margin)/(box[2]-box[0]),(size-margin-foot)/(box[3]-box[1]));
const left=size/2-scale*(box[0]+box[2])/2,top_=(size-foot+margin)/2-scale*(box[1]+box[3])/2;
const of=id=>document.getElementById(id).getContext('2d');
const frame=x=>x.setTransform(scale,0,0,scale,left,top_);
const drawA=x=>{frame(x);x.drawImage(pa,A.o,A.o,A.w*A.p,A.h*A.p)};
const drawB=x=>{frame(x);x.translate(A.c[0]+shift[0],A.c[1]+shift[1]);x.rotate(-turn);x.translate(-B.c[0],-B.c[1]);
 x.drawImage(pb,B.o,B.o,B.w*B.p,B.h*B.p)};
const write=(x,text,u,v,colour,font)=>{x.font=font||'bold 12px system-ui,sans-serif';x.textAlign='center';x.textBaseline='middle';
 x.lineWidth=3;x.lineJoin='round';x.strokeStyle='#000c';x.strokeText(text,u,v);x.fillStyle=colour;x.fillText(text,u,v)};
const GREEN='#3ee86b',GREY='#c8c8c8';
const outline=(x,u,v,side,by,on)=>{frame(x);x.save();x.translate(u,v);x.rotate(by);x.lineWidth=(on?2:1)/scale;
 x.strokeStyle=on?GREEN:GREY;x.setLineDash(on?[]:[4/scale,4/scale]);x.strokeRect(-side/2,-side/2,side,side);x.restore()};
const label=(x,u,v,text,colour)=>{x.setTransform(1,0,0,1,0,0);write(x,text,left+scale*u,top_+scale*v,colour)};
const bar=x=>{x.setTransform(1,0,0,1,0,0);const w=500*scale,y=size-14;x.fillStyle='#fff';x.fillRect(margin,y,w,3);
 x.font='12px system-ui,sans-serif';x.textAlign='left';x.textBaseline='alphabetic';x.fillText('500 µm',margin+w+6,y+5)};
let x=of('a');drawA(x);cells.forEach(c=>outline(x,c[0],c[1],c[4],0,c[7]));
cells.forEach((c,i)=>label(x,c[0],c[1],i+1,c[7]?GREEN:GREY));bar(x);
x=of('b');drawB(x);const placed=cells.map((c,i)=>[onA(c[2],c[3]),c,i+1]).filter(p=>p[1][7]);
placed.forEach(([p,c])=>outline(x,p[0],p[1],c[4],c[6]*Math.PI/180,1));
placed.forEach(([p,c,i])=>label(x,p[0],p[1],i,GREEN));bar(x);
// Cividis, eight steps: readable for every kind of colour sight.
const steps=[[0,32,76],[0,53,112],[60,77,110],[99,103,115],[131,129,121],[166,157,117],[205,187,105],[255,234,70]];
const colour=r=>{const t=Math.max(0,Math.min(.9999,r))*7,i=Math.floor(t),f=t-i;
 return'rgb('+[0,1,2].map(k=>Math.round(steps[i][k]*(1-f)+steps[i+1][k]*f)).join(' ')+')'};
x=of('m');cells.forEach(c=>{frame(x);x.fillStyle=colour(c[5]);x.fillRect(c[0]-c[4]/2,c[1]-c[4]/2,c[4],c[4])});
cells.forEach(c=>{outline(x,c[0],c[1],c[4]-2/scale,0,c[7]);label(x,c[0],c[1],c[5]===0?'–':c[5].toFixed(2),'#fff')});
const scaleBar=x=>{x.setTransform(1,0,0,1,0,0);for(let i=0;i<200;i++){x.fillStyle=colour(i/199);x.fillRect(size/2-100+i,size-18,1.5,10)}
 x.fillStyle='#fff';x.font='12px system-ui,sans-serif';x.textBaseline='middle';x.textAlign='right';x.fillText('0',size/2-106,size-13);
 x.textAlign='left';x.fillText('1',size/2+106,size-13)};
scaleBar(x);
// Heights of a surface about a place, 0 where missing; of B as it lies on A.
const at=(s,u,v)=>{const i=Math.round((u-s.o)/s.p),j=Math.round((v-s.o)/s.p);
 return i>=0&&j>=0&&i<s.w&&j<s.h?s.bytes.charCodeAt(j*s.w+i):0};
const ofB=(u,v)=>{const p=u-A.c[0]-shift[0],q=v-A.c[1]-shift[1];return at(B,B.c[0]+cos*p-sin*q,B.c[1]+sin*p+cos*q)};
const step=2*A.p,far=Math.round(300/step),wide=2*far+1;
const coefficient=(a,b,n,m,dx,dy)=>{let k=0,sa=0,sb=0,aa=0,bb=0,ab=0;
 for(let j=0;j<n;j++)for(let i=0;i<n;i++){const u=a[j*n+i],v=b[(j+dy)*m+i+dx];
  if(u&&v){k++;sa+=u;sb+=v;aa+=u*u;bb+=v*v;ab+=u*v}}
 const e=(aa-sa*sa/k)*(bb-sb*sb/k);return k>=.1*n*n&&e>0?(ab-sa*sb/k)/Math.sqrt(e):null};
x=of('k');cells.forEach(c=>{const n=Math.round(c[4]/step),m=n+2*far,u=c[0]-c[4]/2,v=c[1]-c[4]/2,a=[],b=[];
 for(let j=0;j<n;j++)for(let i=0;i<n;i++)a.push(at(A,u+(i+.5)*step,v+(j+.5)*step));
 for(let j=0;j<m;j++)for(let i=0;i<m;i++)b.push(ofB(u+(i+.5-far)*step,v+(j+.5-far)*step));
 frame(x);const dot=c[4]/wide;
 for(let dy=0;dy<wide;dy++)for(let dx=0;dx<wide;dx++){const r=coefficient(a,b,n,m,dx,dy);
  x.fillStyle=r===null?'#000':colour(r);x.fillRect(u+dx*dot,v+dy*dot,1.1*dot,1.1*dot)}});
cells.forEach(c=>outline(x,c[0],c[1],c[4]-2/scale,0,c[7]));scaleBar(x);
const t=document.getElementById('t');
const draw=()=>{const x=of('s');x.setTransform(1,0,0,1,0,0);x.globalAlpha=1;x.clearRect(0,0,size,size);
 x.globalAlpha=1-t.value/100;drawA(x);x.globalAlpha=t.value/100;drawB(x);x.globalAlpha=1;bar(x)};
t.oninput=draw;draw();
let up=1;
if(!matchMedia('(prefers-reduced-motion: reduce)').matches){
 const run=setInterval(()=>{t.value=+t.value+2*up;if(t.value>=100||t.value<=0)up=-up;draw()},60);
 t.onpointerdown=()=>clearInterval(run)}
